"""What a program with sessions says beside its requests: answers to questions, cancellations, log levels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.keys import Binder, NotBound
from latchpin_mcp.message import Message
from latchpin_mcp.parts import replace_parts

from latchpin_aggregator.envelopes import compose, dump
from latchpin_aggregator.names import Names
from latchpin_aggregator.profiles import Profile
from latchpin_aggregator.selection import Selection
from latchpin_aggregator.sessions import ServerSession, Sessions
from latchpin_aggregator.under_way import UnderWay, name_there
from latchpin_aggregator.wire import Outgoing, Unavailable, Wire

__all__ = ["Telling", "name_question"]

_QUESTION = "question"
_CANCELLED = "notifications/cancelled"
_LEVEL = "logging/setLevel"


def name_question(binder: Binder, gateway: Gateway, there: str | int) -> str:
    """What a program knows a server's question by: it leads back to that server, and is the person's alone."""
    return binder.bind(_QUESTION, dump([gateway.id, there]))


class Telling:
    """Passes it on.

    Args:
        selection: which servers may have asked, and are told.
        seconds: how long a server may take to hear it.
    """

    def __init__(
        self,
        application: Application,
        wire: Wire,
        sessions: Sessions,
        *,
        selection: Selection,
        names: Names,
        under_way: UnderWay,
        seconds: float,
    ) -> None:
        self._gateways = application.gateways
        self._wire = wire
        self._sessions = sessions
        self._selection = selection
        self._names = names
        self._under_way = under_way
        self._seconds = seconds

    async def tell(self, message: Message, caller: Caller, profile: Profile) -> None:
        """Pass on a notification or an answer of a program's.

        Raises:
            InvalidRequest: it answers a question that this person was not asked.
            NotFound: the server that asked is not there for this person any more.
        """
        if message.method is None:
            await self._answer(message, caller, profile)
        elif message.method == _CANCELLED:
            await self._cancelled(message, caller, profile)

    async def set_level(self, level: str, caller: Caller, profile: Profile) -> None:
        """Tell the servers at which a session is open from which level on log messages are wanted."""
        body = compose(_LEVEL, {"level": level}, id="level")
        await self._tell_all(body, _LEVEL, caller, await self._open(caller, profile))

    async def cancel(self, gateway: Gateway, caller: Caller, session: ServerSession, there: str) -> None:
        """Tell a server with sessions that nobody waits for a request any more. Raises Unavailable."""
        body = compose(_CANCELLED, {"requestId": there, "reason": "nobody waits for it any more"})
        await self._tell(body, _CANCELLED, gateway, caller, session)

    async def _answer(self, message: Message, caller: Caller, profile: Profile) -> None:
        binder = await self._names.of(caller)
        try:
            gateway_id, there = json.loads(binder.release(_QUESTION, message.id if isinstance(message.id, str) else ""))
        except (NotBound, ValueError):
            raise InvalidRequest("the message answers a question that you were not asked here") from None
        gateway = await self._gateways.get(gateway_id, caller)
        if not await self._selection.has(gateway, caller):
            raise NotFound("the server that asked is not shown here any more")
        body = replace_parts(message.text, message.whole, [(message.members["id"], dump(there))]).encode()
        try:
            session = await self._sessions.of(gateway, caller, profile)
            await self._tell(body, "", gateway, caller, session)
        except Unavailable as exc:
            raise InvalidRequest(f"{gateway.name} does not wait for the answer: {exc.reason}") from exc

    async def _cancelled(self, message: Message, caller: Caller, profile: Profile) -> None:
        """Cancel a call: here, or where another worker serves it at a server with sessions."""
        request_id = message.param("requestId")
        session = message.headers["mcp-session-id"]
        if not isinstance(request_id, str | int) or self._under_way.cancel(session, request_id):
            return
        body = compose(_CANCELLED, {"requestId": name_there(session, request_id)})
        await self._tell_all(body, _CANCELLED, caller, await self._open(caller, profile))

    async def _open(self, caller: Caller, profile: Profile) -> list[tuple[Gateway, ServerSession]]:
        gateways = await self._selection.list(caller)
        found = [(each, await self._sessions.known(each, caller, profile)) for each in gateways]
        return [(gateway, session) for gateway, session in found if session is not None]

    async def _tell_all(
        self, body: bytes, method: str, caller: Caller, places: Sequence[tuple[Gateway, ServerSession]]
    ) -> None:
        """Tell several servers at once; who does not hear it is not waited for."""
        telling = [self._tell(body, method, gateway, caller, session) for gateway, session in places]
        await asyncio.gather(*telling, return_exceptions=True)

    async def _tell(self, body: bytes, method: str, gateway: Gateway, caller: Caller, session: ServerSession) -> None:
        outgoing = Outgoing(body, "sessions", method, version=session.version, session=session.id)
        await self._wire.ask(gateway, caller, outgoing, seconds=self._seconds)
