"""The clients that are kept here, for administrators: the pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import InvalidRequest
from latchpin.model import Caller
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, TimeShown, WritingAdmin, frame, render

from latchpin_authorization_server.clients.client import Source
from latchpin_authorization_server.clients.entry import parse_entry
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.redirect_uris import tell_destination
from latchpin_authorization_server.web.clients import clients_of

__all__ = ["router"]

router = APIRouter(prefix="/applications/clients", include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
PAGE = 50
KINDS = {"confidential": "client_secret_basic", "public": "none", "service": "client_secret_basic"}
"""What an administrator may choose, and how each proves itself."""


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client as the page shows it.

    Attributes:
        place: whom it is for: people, with where their answers go, or the address that a service acts as.
        ends: when it is forgotten unless it is used; None: never.
    """

    id: str
    name: str
    place: str
    has_secret: bool
    created_by: str
    created: TimeShown
    ends: TimeShown | None

    @classmethod
    def of(cls, stored: StoredClient, now: Any) -> ClientRow:  # noqa: ANN401  a datetime
        """As seen from ``now``."""
        client = stored.client
        places = ", ".join(dict.fromkeys(map(tell_destination, client.redirect_uris)))
        return cls(
            client.id,
            client.name,
            f"{client.acts_as}, by itself" if client.acts_as else f"people, at {places or 'devices'}",
            client.auth_method != "none",
            stored.created_by,
            TimeShown.of(stored.created_at, now),
            None if stored.expires_at is None else TimeShown.of(stored.expires_at, now),
        )


@router.get("")
async def show_clients(
    request: Request, caller: AdminCaller, application: CurrentApplication, source: str = "", after: str = ""
) -> Response:
    """Those that were entered, or those that registered themselves."""
    clients, chosen = await clients_of(application), _source(source)
    found = await clients.list(chosen, after=after, limit=PAGE)
    now = application.services.clock()
    return await _show(
        request,
        caller,
        "mcp_clients",
        title="MCP clients",
        source=chosen,
        rows=[ClientRow.of(stored, now) for stored in found],
        counts={name: await clients.count(name) for name in ("entered", "registered")},
        after=found[-1].client.id if len(found) == PAGE else "",
    )


@router.get("/new")
async def show_form(request: Request, caller: AdminCaller) -> Response:
    """Ask what is to be entered."""
    return await _show_form(request, caller, {"kind": "confidential"})


@router.post("/new")
async def enter(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Enter it, and show its secret this once."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    try:
        entered = await (await clients_of(application)).enter(parse_entry(_read(form)), caller)
    except InvalidRequest as exc:
        return await _show_form(request, caller, form, wrong=exc.detail)
    settings = application.services.settings
    return await _show(
        request,
        caller,
        "mcp_client_entered",
        title=f"Entered {entered.stored.client.name}",
        client=entered.stored.client,
        secret=entered.secret,
        issuer=settings.base_url,
    )


@router.get("/{client_id}/delete")
async def ask_to_delete(
    request: Request, caller: AdminCaller, application: CurrentApplication, client_id: str
) -> Response:
    """Ask before one is deleted."""
    stored = await (await clients_of(application)).get(client_id)
    row = ClientRow.of(stored, application.services.clock())
    return await _show(
        request,
        caller,
        "mcp_client_delete",
        title=f"Delete {row.name}",
        row=row,
        source=stored.client.source,
        ruled=(await application.entry_notes("oauth_clients")).get(client_id, ""),
    )


@router.post("/{client_id}/delete")
async def delete(request: Request, caller: WritingAdmin, application: CurrentApplication, client_id: str) -> Response:
    """Delete one with all that people allowed it."""
    stored = await (await clients_of(application)).delete(client_id, caller)
    return await _show(
        request,
        caller,
        "mcp_client_deleted",
        title=f"Deleted {stored.client.name}",
        source=stored.client.source,
    )


async def _show_form(request: Request, caller: Caller, form: dict[str, str], *, wrong: str = "") -> Response:
    fields = {name: form.get(name, "") for name in ("name", "kind", "redirect_uris", "acts_as")}
    status = 400 if wrong else 200
    return await _show(
        request, caller, "mcp_client_new", title="Enter an MCP client", status=status, fields=fields, wrong=wrong
    )


def _read(form: dict[str, str]) -> dict[str, Any]:
    """The form as the API's body."""
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise InvalidRequest("choose what kind of client it is")
    entry: dict[str, Any] = {"name": form.get("name", "").strip(), "token_endpoint_auth_method": KINDS[kind]}
    if kind == "service":
        return entry | {"acts_as": form.get("acts_as", "").strip()}
    return entry | {"redirect_uris": form.get("redirect_uris", "").split()}


def _source(text: str) -> Source:
    return "registered" if text == "registered" else "entered"


async def _show(request: Request, caller: Caller, template: str, **values: Any) -> Response:  # noqa: ANN401
    return render(template, folder=TEMPLATES, headers=WITH_SCRIPTS, **values, **await frame(request, caller))
