"""A stranger's plugin with a page, a form, a command and a listener: notes on gateways, kept in the record store."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import latchpin
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.contracts import Backend, Command, Context, EventListener, NavigationEntry
from latchpin.model import Caller, CollectionSpec, Document, Fact
from latchpin.sdk.activity import FactKind, OwnFact
from latchpin.sdk.web import CurrentApplication, SignedInCaller, WritingAdmin, frame, render

NOTES = CollectionSpec("acme_notes", sealed=frozenset({"text"}))
TEMPLATES = Path(__file__).parent / "templates"
router = APIRouter()


@router.get("/acme/note")
async def show_note(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    note = await application.services.context.collection(NOTES).get("note")
    page = await frame(request, caller)
    return render("acme_note", title="Note", folder=TEMPLATES, note=note.body["text"] if note else "", **page)


@router.post("/acme/note")
async def put_note(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    services, form = application.services, await request.form()
    notes = services.context.collection(NOTES)
    before = await notes.get("note")
    await notes.put(Document("note", {"text": str(form["note"])}, revision=before.revision if before else 0))
    return RedirectResponse(f"{services.settings.base_url}/acme/note", 303)


@latchpin.hookimpl
def latchpin_routes() -> Sequence[APIRouter]:
    """Add the page."""
    return [router]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to it in the menu."""
    return [NavigationEntry("Note", "/acme/note", "What everybody should know.")]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin acme note``."""
    return [Command("acme", "Notes of ACME.", "tests.contracts.acme_commands:app")]


ENDS = {"token.disconnected", "token.dropped"}
NOTED = OwnFact("acme.noted", FactKind("A note was written.", "length", line="%(actor)s wrote a note"))
logger = logging.getLogger("acme")


class Ends:
    def on_event(self, fact: Fact) -> None:
        if fact.name in ENDS:
            logger.warning("a connection at gateway %s ended", fact.gateway_id)


@asynccontextmanager
async def open_ends(settings: latchpin.Settings, context: Context) -> AsyncIterator[EventListener]:
    yield Ends()


@latchpin.hookimpl
def latchpin_event_listeners() -> Backend[latchpin.Settings, EventListener]:
    """Offer the listener."""
    return Backend("acme-ends", "ends of connections in ACME's log", latchpin.Settings, open_ends)


async def tell_of_note(context: Context, caller: Caller, text: str) -> None:
    await context.activity.tell(NOTED, actor=caller.email, length=len(text))
