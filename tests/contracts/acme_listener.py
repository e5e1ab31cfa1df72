"""A stranger's plugin that hears what happened, and tells a fact of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import latchpin
from latchpin.contracts import Backend, Context, EventListener
from latchpin.model import Caller, Fact
from latchpin.sdk.activity import FactKind, OwnFact

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
