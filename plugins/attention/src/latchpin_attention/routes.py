"""The API of connections that need their person."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from latchpin.errors import Forbidden
from latchpin.model import COMPANY
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import CurrentApplication, Document, Id, Moment, SignedInCaller, problems
from pydantic import Field

from latchpin_attention.finding import find_needs, needs_of
from latchpin_attention.need import Cause, Need

__all__ = ["describe", "router"]

router = APIRouter(tags=["tokens"])


class NeedDocument(Document):
    """A connection that needs its person."""

    id: str = Field(description="Names this need: the same for as long as it stands.")
    gateway_id: Id
    gateway_name: str
    app_user_email: str
    account: str = Field(description="The label of the account; empty: none.")
    shared: bool = Field(description="Whether it is the account that all share; app_user_email is then (company).")
    connected_by: str | None = Field(description="Who connected it, where all share it.")
    cause: Cause
    message: str = Field(description="The cause in words.")
    works: bool = Field(description="Whether it works for now.")
    since: Moment
    ends_at: Moment | None = Field(description="When the access ends, where it ends soon.")
    scopes: list[str] = Field(description="The scopes that the server wants besides.")
    authorize_url: str = Field(description="Where its person mends it, in a browser.")


class NeedList(Document):
    """Connections that need their person, longest first."""

    needs: list[NeedDocument]
    total: int


@router.get(
    "/attention",
    summary="List connections that need somebody",
    response_model=NeedList,
    responses=problems(403),
)
async def list_needs(
    caller: SignedInCaller, application: CurrentApplication, *, everybody: bool = False
) -> dict[str, Any]:
    """The caller's own, and for an administrator what all share; with `everybody`, everybody's."""
    if everybody and not caller.is_admin:
        raise Forbidden("only administrators may see what needs somebody else")
    needs = await (find_needs(application) if everybody else needs_of(application, caller))
    return {"needs": [describe(application, each) for each in needs], "total": len(needs)}


def describe(application: Application, need: Need) -> dict[str, Any]:
    """A need as programs are told of it."""
    return {
        "id": need.id,
        "gateway_id": need.gateway_id,
        "gateway_name": need.gateway_name,
        "app_user_email": need.owner,
        "account": need.account,
        "shared": need.owner == COMPANY,
        "connected_by": need.connected_by,
        "cause": need.cause,
        "message": need.words,
        "works": not need.broken,
        "since": need.since.isoformat(),
        "ends_at": None if need.ends_at is None else need.ends_at.isoformat(),
        "scopes": list(need.wanted),
        "authorize_url": application.services.settings.authorize_url(need.gateway_id, need.account),
    }
