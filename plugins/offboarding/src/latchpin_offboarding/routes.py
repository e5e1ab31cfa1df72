"""People who are out: ended by an administrator, and let in again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin, problems

from latchpin_offboarding.documents import EndedPeople, PersonEnded, PersonRestored
from latchpin_offboarding.people import People

__all__ = ["router"]

router = APIRouter(prefix="/people/ended", tags=["people"])


@router.get("", summary="List who is out", response_model=EndedPeople)
async def list_ended(caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:
    """Everybody who is out, with what is still to be revoked of theirs; and whose tokens are still taken back."""
    found = await People(application).list(caller)
    return {"people": [each.describe() for each in found], "total": len(found)}


@router.put("", summary="End a person", response_model=PersonEnded)
async def end_person(caller: WritingAdmin, application: CurrentApplication, user: str) -> dict[str, Any]:
    """End everything of a person, and keep them out until they are let in again.

    Sessions, tokens of every kind, streams and connections: nothing works within a second, on any worker. The
    connections' tokens are revoked at their servers afterwards, for as long as that takes.
    """
    people = People(application)
    ended = await people.end(parse_email(user), caller, way="api")
    await people.begin_work()
    return {"success": True, "message": f"{ended.email} is out", "person": ended.describe()}


@router.delete("", summary="Let a person in again", response_model=PersonRestored, responses=problems(404))
async def restore_person(caller: WritingAdmin, application: CurrentApplication, user: str) -> dict[str, Any]:
    """Let a person in again. They sign in, and authorize, anew."""
    email = parse_email(user)
    await People(application).restore(email, caller)
    return {"success": True, "message": f"{email} may come in again"}
