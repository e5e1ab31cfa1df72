"""Telling a program that its person is done with a link that it was asked to open (2025-11-25, elicitation).

``notifications/elicitation/complete`` goes into the stream that the program keeps open (GET), wherever that is: the
worker with the stream looks whether its person was told to authorize, and whether they have. The name of what they owe
is in the store for all workers; sealed for the person, it is the ``elicitationId``. Programs pass over those that they
do not know, as the specification has it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from latchpin.errors import BackendUnavailable
from latchpin.sdk.gateway import Application

from latchpin_proxy.bindings import Binder
from latchpin_proxy.call import Call

__all__ = ["Look", "elicitation_id", "interleave", "make_look"]

_log = logging.getLogger("latchpin.proxy")

LOOKS_EVERY = 2.0
"""In seconds: one look is one read of the store for each stream of a program that opens links."""

Pieces = AsyncIterator[bytes]
Look = Callable[[], Awaitable[bytes]]
"""Gives the events that are to be told since the last look; empty where there are none."""


def elicitation_id(binder: Binder, owed: str) -> str:
    """What a program calls the link that was given because its person owes an authorization of that name."""
    return binder.bind("elicitation", owed)


def make_look(application: Application, call: Call) -> Look:
    """What is to be told in the stream of one call: each authorization that its person owed, once they do not."""
    gateway, caller, binder = call.request.gateway, call.request.caller, call.terms.binder
    known: set[str] = set()
    pending: list[str] = []
    begun = False

    async def look() -> bytes:
        nonlocal begun
        owed = await application.latest_refusal(gateway, caller)
        if owed is not None and owed not in known:
            known.add(owed)
            if begun or await application.must_authorize(gateway, caller):  # else they were done before it began
                pending.append(owed)
        begun = True
        if not pending or await application.must_authorize(gateway, caller):
            return b""
        events = b"".join(_build_event(elicitation_id(binder, name)) for name in pending)
        pending.clear()
        return events

    return look


def _build_event(ended: str) -> bytes:
    params = {"elicitationId": ended}
    message = {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params}
    return b"event: message\ndata: " + json.dumps(message, separators=(",", ":")).encode() + b"\n\n"


async def interleave(pieces: Pieces, look: Look, *, every: float = LOOKS_EVERY) -> AsyncGenerator[bytes, None]:
    """The pieces of an event stream, with what ``look`` gives between its events.

    Args:
        pieces: the stream's.
        look: is called at once, and then every so often.
        every: in seconds.
    """
    between = True
    coming = asyncio.create_task(_next_piece(pieces))
    telling = asyncio.create_task(_next_events(look, 0))
    try:
        while True:
            await asyncio.wait({coming, telling} if between else {coming}, return_when=asyncio.FIRST_COMPLETED)
            if between and telling.done():
                if events := telling.result():
                    yield events
                telling = asyncio.create_task(_next_events(look, every))
            if coming.done():
                if not (piece := coming.result()):
                    return
                between = piece.endswith((b"\n\n", b"\r\r", b"\r\n\r\n"))
                yield piece
                coming = asyncio.create_task(_next_piece(pieces))
    finally:
        for task in (coming, telling):
            task.cancel()
        await asyncio.gather(coming, telling, return_exceptions=True)


async def _next_piece(pieces: Pieces) -> bytes:
    return await anext(pieces, b"")


async def _next_events(look: Look, after: float) -> bytes:
    await asyncio.sleep(after)
    try:
        return await look()
    except BackendUnavailable as exc:
        _log.warning("Whether somebody is done with a link is not known: %s", exc)
        return b""
