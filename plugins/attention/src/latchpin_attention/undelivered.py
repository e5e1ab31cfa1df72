"""The page of one outbox, for administrators: what was given up, why, and a button that has it tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, TimeShown, WritingAdmin, frame, render

from latchpin_attention.outbox import Entry, Outbox

__all__ = ["OutboxPage", "OutboxShown", "make_router"]

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class OutboxShown:
    """An outbox as its page shows it.

    Attributes:
        outbox: which.
        setting: the one that says where its entries go.
        on: whether that is set: only then anything is sent.
        receiver: says to whom an entry goes.
        retry: has the dead entry of an id tried again, or with ``""`` all; returns how many are.
    """

    outbox: Outbox
    setting: str
    on: bool
    receiver: Callable[[Entry], str] = field(repr=False)
    retry: Callable[[str], Awaitable[int]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """Which page.

    Attributes:
        path: where it is, from the gateway's root.
        title: what it is called.
        one, many: what an entry is called, and several.
        command: lists them all.
        open: gives the outbox of the running gateway.
    """

    path: str
    title: str
    one: str
    many: str
    command: str
    open: Callable[[Application], Awaitable[OutboxShown]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    receiver: str
    tries: int
    reason: str
    at: TimeShown


def make_router(page: OutboxPage) -> APIRouter:
    """The routes of a page."""
    router = APIRouter(include_in_schema=False)

    @router.get(page.path)
    async def show_undelivered(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
        """What was given up within the last 60 days, the newest first, and how much waits for another try."""
        shown, now = await page.open(application), application.services.clock()
        dead = sorted(await shown.outbox.list("dead"), key=lambda each: each.at, reverse=True)
        return render(
            "undelivered",
            folder=TEMPLATES,
            headers=WITH_SCRIPTS,
            title=page.title,
            page=page,
            shown=shown,
            rows=[
                _Row(each.id, shown.receiver(each), each.tries, each.reason, TimeShown.of(each.at, now))
                for each in dead[:MOST_ROWS]
            ],
            found=len(dead),
            waiting=await shown.outbox.count("waiting"),
            **await frame(request, caller),
        )

    @router.post(f"{page.path}/retry")
    async def retry_undelivered(
        request: Request,
        caller: WritingAdmin,  # noqa: ARG001  proves who sent it
        application: CurrentApplication,
    ) -> Response:
        """Try what was given up again: the entry that the form names, or without one all."""
        name = (await request.form()).get("id")
        if name == "":
            raise InvalidRequest("id is empty", remedy="Name an entry, or leave id out to have all tried again.")
        shown = await page.open(application)
        await shown.retry("" if name is None else str(name))
        return RedirectResponse(application.services.settings.base_url + page.path, 303)

    return router
