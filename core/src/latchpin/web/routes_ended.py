"""People who are out: ended by an administrator, and let in again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from latchpin.identity.address import parse_email
from latchpin.web.dependencies import AdminCaller, CurrentApplication, WritingAdmin
from latchpin.web.description import problems
from latchpin.web.documents.connections import Message
from latchpin.web.documents.people import EndedPeople, PersonEnded

__all__ = ["router"]

router = APIRouter(prefix="/people/ended", tags=["people"])


@router.get("", summary="List who is out", response_model=EndedPeople)
async def list_ended(caller: AdminCaller, application: CurrentApplication) -> dict[str, Any]:
    """Everybody who is out, with what is still to be revoked of theirs; and whose tokens are still taken back."""
    found = await application.people.list(caller)
    return {"people": [each.describe() for each in found], "total": len(found)}


@router.put("", summary="End a person", response_model=PersonEnded)
async def end_person(caller: WritingAdmin, application: CurrentApplication, user: str) -> dict[str, Any]:
    """End everything of a person, and keep them out until they are let in again.

    Sessions, tokens of every kind, streams and connections: nothing works within a second, on any worker. The
    connections' tokens are revoked at their servers afterwards, for as long as that takes.
    """
    ended = await application.people.end(parse_email(user), caller, way="api")
    application.people.begin_work()
    return {"success": True, "message": f"{ended.email} is out", "person": ended.describe()}


@router.delete("", summary="Let a person in again", response_model=Message, responses=problems(404))
async def restore_person(caller: WritingAdmin, application: CurrentApplication, user: str) -> dict[str, Any]:
    """Let a person in again. They sign in, and authorize, anew."""
    email = parse_email(user)
    await application.people.restore(email, caller)
    return {"success": True, "message": f"{email} may come in again"}
