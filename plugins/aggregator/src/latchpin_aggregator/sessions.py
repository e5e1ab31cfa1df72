"""Sessions at servers that have them: one for each person, server and profile, for all workers and all their calls."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from latchpin.contracts import Collection
from latchpin.errors import RecordConflict
from latchpin.model import Caller, Document, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.mcp import SESSIONS
from latchpin.sdk.workers import Bounded, SharedTasks

from latchpin_aggregator.envelopes import compose, own_implementation
from latchpin_aggregator.eras import Eras
from latchpin_aggregator.kept_sessions import KEPT
from latchpin_aggregator.profiles import Profile
from latchpin_aggregator.wire import Outgoing, Unavailable, Wire

__all__ = ["ServerSession", "Sessions"]

LIFETIME = timedelta(hours=24)
"""For how long a session is tried again that nobody has used."""
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session at a server.

    Attributes:
        id: as the proxy named it to its person; ``""``: the server keeps none.
        version: of the protocol, as it was agreed.
        offers: the server's capabilities, by name.
    """

    id: str
    version: str
    offers: frozenset[str]


class Sessions:
    """Opens sessions and keeps them."""

    def __init__(self, application: Application, wire: Wire, eras: Eras, *, seconds: float) -> None:
        self._access = application.access
        self._eras = eras
        self._documents: Collection = application.services.context.collection(KEPT)
        self._clock = application.services.clock
        self._wire = wire
        self._seconds = seconds
        self._known: Bounded[str, ServerSession] = Bounded(_MOST)
        self._opening: SharedTasks[str, ServerSession] = SharedTasks()

    async def of(self, gateway: Gateway, caller: Caller, profile: Profile) -> ServerSession:
        """The caller's session, opened if there is none.

        Raises:
            Unavailable: the server opens none now.
        """
        key = await self._key(gateway, caller, profile)
        known = self._known.get(key)
        if known is None:
            known = await self._opening.run(key, lambda: self._find(key, gateway, caller, profile))
        return known

    async def known(self, gateway: Gateway, caller: Caller, profile: Profile) -> ServerSession | None:
        """The caller's session, if there is one."""
        key = await self._key(gateway, caller, profile)
        return self._known.get(key) or await self._load(key)

    async def forget(self, gateway: Gateway, caller: Caller, profile: Profile, session: ServerSession) -> None:
        """Open another when it is next asked for, unless somebody has done so: the server does not know this one."""
        key = await self._key(gateway, caller, profile)
        if self._known.get(key) == session:
            del self._known[key]
        held = await self._documents.get(key)
        if held is not None and held.body["session"] == session.id:
            await self._documents.delete(key, revision=held.revision)

    async def close(self) -> None:
        """Let what is being opened end."""
        await self._opening.close()

    async def _key(self, gateway: Gateway, caller: Caller, profile: Profile) -> str:
        """By what a session is kept. A person who connects another account goes on in no session of the earlier one."""
        token = (await self._access.get(gateway.id, caller)).token
        account = "" if token is None else f"{token.stored.id} {token.stored.user_id}"
        text = "\n".join((gateway.id, gateway.url, caller.email, account, str(profile)))
        return hashlib.sha256(text.encode()).hexdigest()

    async def _find(self, key: str, gateway: Gateway, caller: Caller, profile: Profile) -> ServerSession:
        session = await self._load(key)
        if session is None:
            session = await self._open(gateway, caller, profile)
            if await self._eras.known(gateway) is None:
                await self._eras.keep(gateway, "sessions")
            await self._keep(key, gateway, session)
            self._known[key] = session
        return session

    async def _load(self, key: str) -> ServerSession | None:
        held = await self._documents.get(key)
        if held is None:
            return None
        offers = frozenset(held.body["offers"])
        session = ServerSession(str(held.body["session"]), str(held.body["version"]), offers)
        self._known[key] = session
        return session

    async def _open(self, gateway: Gateway, caller: Caller, profile: Profile) -> ServerSession:
        params = {
            "protocolVersion": profile.version,
            "capabilities": profile.capabilities(),
            "clientInfo": own_implementation(),
        }
        asked = Outgoing(compose("initialize", params, id="initialize"), "sessions", "initialize")
        answer = await self._wire.ask(gateway, caller, asked, seconds=self._seconds)
        result = answer.value().get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if not isinstance(result, dict) or version not in SESSIONS:
            raise Unavailable("it does not begin a session in a version of MCP that is known here", answered=True)
        capabilities = result.get("capabilities")
        offers = frozenset(capabilities if isinstance(capabilities, dict) else ())
        session = ServerSession(answer.session, str(version), offers)
        begun = "notifications/initialized"
        told = Outgoing(compose(begun), "sessions", begun, version=session.version, session=session.id)
        await self._wire.ask(gateway, caller, told, seconds=self._seconds)
        return session

    async def _keep(self, key: str, gateway: Gateway, session: ServerSession) -> None:
        body = {"session": session.id, "version": session.version, "offers": sorted(session.offers)}
        document = Document(key, body, {"gateway": gateway.id}, expires_at=self._clock() + LIFETIME)
        held = await self._documents.get(key)
        with contextlib.suppress(RecordConflict):  # another worker has opened one, too: each keeps to its own
            await self._documents.put(replace(document, revision=0 if held is None else held.revision))
