"""A call: to its one server, in the words that the server has, and its answer back."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from functools import partial

from latchpin.model import Caller
from latchpin.sdk.keys import Binder
from latchpin.sdk.mcp import LOG_LEVEL, Era
from latchpin_mcp.message import Message
from starlette.requests import ClientDisconnect

from latchpin_aggregator.argument_headers import build_argument_headers
from latchpin_aggregator.envelopes import request_body
from latchpin_aggregator.eras import Eras
from latchpin_aggregator.levels import Levels
from latchpin_aggregator.names import Names
from latchpin_aggregator.passing import Passing
from latchpin_aggregator.profiles import NOTHING, Profile
from latchpin_aggregator.sessions import ServerSession, Sessions
from latchpin_aggregator.targets import Target, Targets
from latchpin_aggregator.telling import Telling, name_question
from latchpin_aggregator.under_way import Running, UnderWay, name_there
from latchpin_aggregator.wire import Asked, Outgoing, Unavailable, Wire
from latchpin_aggregator.words import AsItIs, Asking, ForModern, ForSessions, Renamed, Words

__all__ = ["Call", "Calls"]

_PASSED = frozenset({b"traceparent", b"tracestate", b"baggage", b"accept-language"})
"""Header fields of a caller's that a server gets; beside those that repeat arguments."""
_ARGUMENT = b"mcp-param-"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is for one server.

    Attributes:
        id: the message's.
        session: of the program here; ``""`` with 2026-07-28.
        profile: of the program's session; what nobody can be asked with 2026-07-28.
        asked: the HTTP request that it came with.
    """

    message: Message
    id: str | int
    caller: Caller
    session: str
    profile: Profile
    asked: Asked

    @property
    def method(self) -> str:
        """MCP's."""
        return self.message.method or ""

    @property
    def is_modern(self) -> bool:
        """Its program speaks 2026-07-28."""
        return self.message.era == "modern"

    @classmethod
    def of(cls, message: Message, caller: Caller, profile: Profile | None, asked: Asked) -> Call:
        """The call that a message is; it has an id. No profile with 2026-07-28."""
        if message.id is None:
            raise ValueError("a notification is for no one server")
        session = "" if profile is None else message.headers["mcp-session-id"]
        if profile is not None and profile.opens_links:
            asked = replace(asked, opens_links=True)
        return cls(message, message.id, caller, session, profile or NOTHING, asked)


class Calls:
    """Brings calls to their servers."""

    def __init__(
        self,
        wire: Wire,
        *,
        eras: Eras,
        sessions: Sessions,
        targets: Targets,
        telling: Telling,
        names: Names,
        levels: Levels,
        under_way: UnderWay,
    ) -> None:
        self._wire = wire
        self._eras = eras
        self._sessions = sessions
        self._targets = targets
        self._telling = telling
        self._names = names
        self._levels = levels
        self._under_way = under_way

    async def serve(self, call: Call) -> None:
        """Serve one request that is for one server.

        Raises:
            Refused: the caller is offered nothing of that name.
        """
        target = await self._targets.find(call.message, call.caller)
        if call.asked.watched is not None:
            call.asked.watched.found(target.gateway, target.own)
        if self._targets.waits(target, call.caller):
            await self._once(call, target, None, None if call.is_modern else name_there(call.session, call.id), None)
            return
        era = await self._era(call, target)
        if call.is_modern:
            await self._bring(call, target, era)
            return
        with self._under_way.running(call.session, call.id) as running:
            await self._bring_cancellable(call, target, era, running)

    async def _bring_cancellable(self, call: Call, target: Target, era: Era, running: Running) -> None:
        """Bring it until it ends, or its program says that it does not wait any more."""
        ending: list[Passing] = []
        watched = replace(call, asked=replace(call.asked, receive=running.receive(call.asked.receive)))
        try:
            await self._bring(watched, target, era, ending)
        except ClientDisconnect:
            if not running.cancelled.is_set():
                raise
        if running.cancelled.is_set():
            if call.asked.watched is not None:
                call.asked.watched.mark("cancelled")
            if ending:
                await ending[-1].end()

    async def _bring(self, call: Call, target: Target, era: Era, ending: list[Passing] | None = None) -> None:
        session = await (self._session if era == "sessions" else self._session_to_be_asked_in)(call, target)
        if era == "modern" and session is None:
            await self._once(call, target, None, None, ending)
            return
        there = name_there(call.session, call.id) if call.session else f"latchpin-{secrets.token_hex(16)}"
        passing = await self._once(call, target, session, there, ending)
        if not passing.lost or session is None:
            return
        await self._sessions.forget(target.gateway, call.caller, call.profile, session)
        again = await self._session(call, target)
        passing = await self._once(call, target, again, there, ending)
        if passing.lost and again is not None:
            await self._sessions.forget(target.gateway, call.caller, call.profile, again)
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

    async def _session_to_be_asked_in(self, call: Call, target: Target) -> ServerSession | None:
        """A session at a server of 2026-07-28 that has them too: there it can ask what the caller's program answers."""
        if not call.profile.letters or not self._eras.may_have_sessions(target.gateway):
            return None
        try:
            return await self._sessions.of(target.gateway, call.caller, call.profile)
        except Unavailable as exc:
            if exc.answered:
                self._eras.note_alone(target.gateway)
            return None

    async def _once(
        self,
        call: Call,
        target: Target,
        session: ServerSession | None,
        there: str | None,
        ending: list[Passing] | None,
    ) -> Passing:
        """Try once; ``there`` is the call's name at a server with sessions, None at one of 2026-07-28."""
        outgoing = self._outgoing(call, target, session, there)
        words = _words(call, target, there, await self._names.of(call.caller) if call.profile.letters else None)
        in_session = session is not None and bool(session.id)
        passing = Passing(call.asked.send, words, server=target.gateway.name, id=call.id, in_session=in_session)
        if ending is not None:
            ending.append(passing)
        try:
            await self._wire.pass_on(target.gateway, call.caller, outgoing, call.asked, passing.send)
        finally:
            if there is not None and session is not None and not passing.ended and not passing.lost:
                with contextlib.suppress(Unavailable):  # it is gone itself
                    await self._telling.cancel(target.gateway, call.caller, session, there)
        return passing

    def _outgoing(self, call: Call, target: Target, session: ServerSession | None, there: str | None) -> Outgoing:
        modern = there is None
        level = self._levels.of(call.session)
        body = request_body(call.message, target.changes, id=there, modern=modern, level=level)
        headers = call.asked.scope["headers"]
        passed = [(key, value) for key, value in headers if key in _PASSED]
        if modern and call.is_modern:
            passed += [(key, value) for key, value in headers if key.startswith(_ARGUMENT)]
        elif modern:
            passed += build_argument_headers(target.repeated, call.message.param("arguments"))
        version, name = (call.profile.version, "") if session is None else (session.version, session.id)
        era: Era = "modern" if modern else "sessions"
        return Outgoing(body, era, call.method, target.own, version, name, tuple(passed))


def _words(call: Call, target: Target, there: str | None, binder: Binder | None) -> Words:
    """How the answer is put; with ``binder`` the program can be asked something."""
    if there is None:
        return AsItIs() if call.is_modern else ForSessions(call.id)
    if call.is_modern:
        return ForModern(call.method, call.id, logs=LOG_LEVEL in call.message.meta)
    if binder is None:
        return Renamed(there, call.id)
    return Asking(there, call.id, partial(name_question, binder, target.gateway))
