"""Personal access tokens: the person's page, and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.contracts import ProtectedResource
from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.identity import parse_email
from latchpin.sdk.web import (
    WITH_SCRIPTS,
    CurrentApplication,
    SignedInCaller,
    TimeShown,
    WritingCaller,
    frame,
    problems,
    render,
)
from pydantic import BaseModel, Field
from starlette.datastructures import FormData

from latchpin_authorization_server.personal_tokens.service import PersonalTokens, open_personal_tokens
from latchpin_authorization_server.personal_tokens.token import PersonalToken, describe_token
from latchpin_authorization_server.server import open_server
from latchpin_authorization_server.web.documents import (
    PersonalTokenCreated,
    PersonalTokenEnded,
    PersonalTokenList,
)

__all__ = ["router"]

router = APIRouter()

TEMPLATES = Path(__file__).parent / "templates"
_TAG = "applications"


async def tokens_of(application: Application) -> PersonalTokens:
    """What makes, lists and ends them.

    Raises:
        NotFound: nobody makes any here.
    """
    server = await open_server(application.services.context)
    if not server.settings.personal_tokens_enabled:
        raise NotFound("there are no personal access tokens here", remedy="Let the application sign in by itself.")
    return await open_personal_tokens(application.services.context)


# -- the page ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token as the page shows it."""

    id: str
    name: str
    resources: tuple[str, ...]
    ends: TimeShown
    made: TimeShown
    used: TimeShown | None

    @classmethod
    def of(cls, token: PersonalToken, offered: Sequence[ProtectedResource], now: datetime) -> TokenRow:
        """As seen from ``now``."""
        names = {resource.url: resource.name for resource in offered}
        return cls(
            token.id,
            token.name,
            tuple(names.get(url, url) for url in token.resources),
            TimeShown.of(token.expires_at, now),
            TimeShown.of(token.created_at, now),
            None if token.used_at is None else TimeShown.of(token.used_at, now),
        )


@router.get("/personal-tokens", include_in_schema=False)
async def show_tokens(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """The caller's tokens, and a form for another."""
    return await _page(request, caller, application)


@router.post("/personal-tokens", include_in_schema=False)
async def make_one(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """Make one of the form, and show its text this once."""
    form, offered = await request.form(), await application.list_resources(caller)
    token, text = await (await tokens_of(application)).create(
        caller.email,
        name=str(form.get("name", "")),
        resources=_chosen(form, offered),
        days=_parse_days(str(form.get("days", ""))),
        actor=caller.email,
    )
    return await _page(request, caller, application, made=text, said=f"Here is {token.name}.")


@router.post("/personal-tokens/end", include_in_schema=False)
async def end_one(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """End one of the caller's."""
    token = await (await tokens_of(application)).end(str((await request.form()).get("token", "")), caller)
    return await _page(request, caller, application, said=f"{token.name} opens nothing any more.")


async def _page(
    request: Request, caller: Caller, application: Application, *, made: str = "", said: str = ""
) -> Response:
    tokens, offered = await tokens_of(application), await application.list_resources(caller)
    now = application.services.clock()
    return render(
        "personal_tokens",
        folder=TEMPLATES,
        headers=WITH_SCRIPTS,
        title="Personal tokens",
        rows=[TokenRow.of(token, offered, now) for token in await tokens.list(caller, user=caller.email)],
        offered=offered,
        default_days=tokens.default_days,
        max_days=tokens.max_days,
        made=made,
        said=said,
        **await frame(request, caller),
    )


def _chosen(form: FormData, offered: Sequence[ProtectedResource]) -> tuple[str, ...]:
    """The endpoints that were chosen; empty for all."""
    if form.get("reach") == "all":
        return ()
    urls = tuple(str(each) for each in form.getlist("resource"))
    return _check_resources(urls, offered)


def _check_resources(urls: tuple[str, ...], offered: Sequence[ProtectedResource]) -> tuple[str, ...]:
    if not urls:
        raise InvalidRequest(
            "no MCP endpoint was chosen", public="No server was chosen.", remedy="Choose some, or all that you may use."
        )
    if not {resource.url for resource in offered}.issuperset(urls):
        raise InvalidRequest("one of the resources is no MCP endpoint that this person may use")
    return urls


def _parse_days(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest("days is no whole number") from None


# -- the API ----------------------------------------------------------------------------------------------


class NewPersonalToken(BaseModel):
    """What a caller wants."""

    name: str = Field(description="What it is for.")
    resources: list[str] | None = Field(None, description="The MCP endpoints that take it; left out: all of them.")
    days: float | None = Field(None, description="How long it lasts.")


@router.get(
    "/oauth2/personal-tokens", tags=[_TAG], summary="List personal access tokens", response_model=PersonalTokenList
)
async def list_tokens(
    caller: SignedInCaller, application: CurrentApplication, user: str | None = None
) -> dict[str, Any]:
    """Personal access tokens without what proves them: the caller's own, for administrators everybody's."""
    found = await (await tokens_of(application)).list(caller, user=None if user is None else parse_email(user))
    return {"personal_tokens": [describe_token(token) for token in found], "total": len(found)}


@router.post(
    "/oauth2/personal-tokens",
    tags=[_TAG],
    summary="Make a personal access token",
    status_code=201,
    response_model=PersonalTokenCreated,
    responses=problems(404, 409),
)
async def create_token(
    caller: WritingCaller, application: CurrentApplication, wanted: NewPersonalToken
) -> dict[str, Any]:
    """Make one for the caller. Its text is in this answer and nowhere else."""
    offered = await application.list_resources(caller)
    resources = () if wanted.resources is None else _check_resources(tuple(wanted.resources), offered)
    token, text = await (await tokens_of(application)).create(
        caller.email, name=wanted.name, resources=resources, days=wanted.days, actor=caller.email
    )
    return {"token": text, "personal_token": describe_token(token)}


@router.delete(
    "/oauth2/personal-tokens/{token_id}",
    tags=[_TAG],
    summary="End a personal access token",
    response_model=PersonalTokenEnded,
    responses=problems(404),
)
async def end_token(caller: WritingCaller, application: CurrentApplication, token_id: str) -> dict[str, Any]:
    """End one of the caller's, for administrators anybody's."""
    token = await (await tokens_of(application)).end(token_id, caller)
    return {"success": True, "message": f"{token.name} of {token.email} opens nothing any more"}
