"""A call: to its one server, in the words that the server has, and its answer back."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace

from latchpin.model import Caller

from latchpin_aggregator.envelopes import compose, request_body
from latchpin_aggregator.eras import Eras
from latchpin_aggregator.message import Message
from latchpin_aggregator.passing import AsItIs, ForModern, ForSessions, Passing, Renamed, Words
from latchpin_aggregator.profiles import NOTHING, Profile
from latchpin_aggregator.protocol import Era
from latchpin_aggregator.sessions import ServerSession, Sessions
from latchpin_aggregator.targets import Target, Targets
from latchpin_aggregator.wire import Asked, Outgoing, Unavailable, Wire

__all__ = ["Call", "Calls"]

_PASSED = frozenset({b"traceparent", b"tracestate", b"baggage", b"accept-language"})
"""Header fields of a caller's that a server gets; beside those that repeat arguments."""
_ARGUMENT = b"mcp-param-"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is for one server.

    Attributes:
        id: the message's.
        profile: of the program's session; what nobody can be asked with 2026-07-28.
        asked: the HTTP request that it came with.
    """

    message: Message
    id: str | int
    caller: Caller
    profile: Profile
    asked: Asked


class Calls:
    """Brings calls to their servers."""

    def __init__(self, wire: Wire, eras: Eras, sessions: Sessions, targets: Targets, *, seconds: float) -> None:
        self._wire = wire
        self._eras = eras
        self._sessions = sessions
        self._targets = targets
        self._seconds = seconds

    async def serve(self, message: Message, caller: Caller, profile: Profile | None, asked: Asked) -> None:
        """Serve one request that is for one server.

        Args:
            message: the request; it has an id.
            caller: who asks.
            profile: of the program's session; None with 2026-07-28.
            asked: the HTTP request that it came with.

        Raises:
            Refused: the caller is offered nothing of that name.
        """
        if message.id is None:
            raise ValueError("a notification is for no one server")
        call = Call(message, message.id, caller, profile or NOTHING, asked)
        target = await self._targets.find(message, caller)
        era = await self._era(call, target)
        if era == "modern":
            await self._once(call, target, era, None)
            return
        for _ in range(2):
            session = await self._session(call, target)
            passing = await self._once(call, target, era, session)
            if not passing.lost or session is None:
                return
            await self._sessions.forget(target.gateway, caller, call.profile, session)
        await passing.give_up()

    async def _era(self, call: Call, target: Target) -> Era:
        """How the server speaks; as the caller does where it does not say so now: it says why to the call itself."""
        try:
            return await self._eras.find(target.gateway, call.caller)
        except Unavailable:
            return call.message.era

    async def _session(self, call: Call, target: Target) -> ServerSession | None:
        """A session at the server; None where it opens none: it says why to the call itself."""
        try:
            return await self._sessions.of(target.gateway, call.caller, call.profile)
        except Unavailable:
            return None

    async def _once(self, call: Call, target: Target, era: Era, session: ServerSession | None) -> Passing:
        there = None if era == "modern" else f"latchpin-{secrets.token_urlsafe(16)}"
        body = request_body(call.message, target.changes, id=there, modern=era == "modern")
        version, name = ("", "") if session is None else (session.version, session.id)
        headers = call.asked.scope["headers"]
        passed = tuple((key, value) for key, value in headers if key in _PASSED or key.startswith(_ARGUMENT))
        outgoing = Outgoing(body, era, call.message.method or "", target.own, version, name, passed)
        words = _words(call, era, there)
        passing = Passing(call.asked.send, words, server=target.gateway.name, id=call.id, in_session=bool(name))
        try:
            asked = replace(call.asked, send=passing.send)
            await self._wire.pass_on(target.gateway, call.caller, outgoing, asked)
        finally:
            if there is not None and not passing.ended and not passing.lost:
                await self._cancel(call, target, session, there)
        return passing

    async def _cancel(self, call: Call, target: Target, session: ServerSession | None, there: str) -> None:
        """Tell a server with sessions that nobody waits any more; others see it by the connection."""
        if session is None:
            return
        method = "notifications/cancelled"
        body = compose(method, {"requestId": there, "reason": "the caller is gone"})
        told = Outgoing(body, "sessions", method, version=session.version, session=session.id)
        with contextlib.suppress(Unavailable):  # it is gone itself
            await self._wire.ask(target.gateway, call.caller, told, seconds=self._seconds)


def _words(call: Call, era: Era, there: str | None) -> Words:
    if era == call.message.era:
        return AsItIs() if there is None else Renamed(there, call.id)
    return ForModern(call.message.method or "", call.id) if call.message.era == "modern" else ForSessions(call.id)
