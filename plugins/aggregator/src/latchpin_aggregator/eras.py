"""How each server speaks, found by asking once, and kept for all workers."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta

from latchpin.contracts import Collection
from latchpin.errors import RecordConflict
from latchpin.model import Caller, CollectionSpec, Document, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.mcp import MODERN, Era
from latchpin.sdk.workers import Bounded

from latchpin_aggregator.envelopes import compose, envelope
from latchpin_aggregator.wire import Outgoing, Wire

__all__ = ["ERAS", "Eras"]

ERAS = CollectionSpec("aggregator_eras")
"""A document for each gateway, good for the URL that it names."""
_MOST = 10_000
_ALONE_FOR = timedelta(hours=1)
"""For how long a server that opens no session is not asked for one again: it may only have been out of order."""
_DISCOVER = "server/discover"


class Eras:
    """Knows how servers speak."""

    def __init__(self, application: Application, wire: Wire, *, seconds: float) -> None:
        self._documents: Collection = application.services.context.collection(ERAS)
        self._wire = wire
        self._seconds = seconds
        self._clock = application.services.clock
        self._known: Bounded[tuple[str, str], Era] = Bounded(_MOST)
        self._alone: Bounded[tuple[str, str], datetime] = Bounded(_MOST)

    async def known(self, gateway: Gateway) -> Era | None:
        """How the server speaks; None: nobody has found it out yet."""
        key = (gateway.id, gateway.url)
        if key not in self._known:
            held = await self._documents.get(gateway.id)
            if held is None or held.body["url"] != gateway.url:
                return None
            self._known[key] = "modern" if held.body["era"] == "modern" else "sessions"
        return self._known[key]

    async def find(self, gateway: Gateway, caller: Caller) -> Era:
        """How the server speaks, asked on the caller's behalf where nobody has found it out yet.

        As the official clients do it: what does not answer ``server/discover`` as one of 2026-07-28 has sessions. That
        is kept once a session was opened: it may only have been out of order.

        Raises:
            Unavailable: the server does not answer, or not this caller.
        """
        known = await self.known(gateway)
        if known is not None:
            return known
        body = compose(_DISCOVER, {"_meta": envelope()}, id="discover")
        answer = await self._wire.ask(gateway, caller, Outgoing(body, "modern", _DISCOVER), seconds=self._seconds)
        if answer.message is None and answer.from_server:
            return "sessions"
        result = answer.value().get("result")
        versions = result.get("supportedVersions") if isinstance(result, dict) else None
        if not isinstance(versions, list) or MODERN not in versions:
            return "sessions"
        await self.keep(gateway, "modern")
        return "modern"

    def may_have_sessions(self, gateway: Gateway) -> bool:
        """Whether a server of 2026-07-28 may speak the other way too, as those of the official SDKs do."""
        until = self._alone.get((gateway.id, gateway.url))
        return until is None or until <= self._clock()

    def note_alone(self, gateway: Gateway) -> None:
        """A server of 2026-07-28 has no sessions: it is not asked for one again at once."""
        self._alone[gateway.id, gateway.url] = self._clock() + _ALONE_FOR

    async def forget(self, gateway: Gateway) -> None:
        """Find it out anew when it is next asked for: the server does not speak like that any more."""
        self._known.pop((gateway.id, gateway.url), None)
        await self._documents.delete(gateway.id)

    async def keep(self, gateway: Gateway, era: Era) -> None:
        """Know it from now on, at every worker."""
        if self._known.get((gateway.id, gateway.url)) == era:
            return
        self._known[gateway.id, gateway.url] = era
        held = await self._documents.get(gateway.id) or Document(gateway.id, {})
        with contextlib.suppress(RecordConflict):  # another worker has found it out as well
            await self._documents.put(replace(held, body={"url": gateway.url, "era": era}))
