"""Which client acts for a gateway at an authorization server: entered, computed, or registered once and kept.

Registrars are asked in the order of their rank. What one of them registers is kept, until it is dropped or deleted.
Where more scopes are wanted than it has, the server is asked to add them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from latchpin.clients.kept import KeptClients
from latchpin.clients.options import RegistrationOptions, list_ways
from latchpin.clients.registrations import Registrations
from latchpin.clients.rows import ClientRows
from latchpin.clients.secrets import open_configured_secret
from latchpin.clients.widening import Widening
from latchpin.contracts import (
    Cipher,
    ClientRegistrar,
    Clock,
    Keeps,
    KeyValueRecords,
    RecordStore,
    Registration,
    RegistrationRequest,
)
from latchpin.errors import Conflict, NotFound, RegistrationFailed, TokenRefused
from latchpin.model import ClientCredentials, Gateway, RegisteredClient, ServerMetadata
from latchpin.oauth.refusal import INVALID_CLIENT
from latchpin.records.writes import RecordWrites
from latchpin.workers.bounded import Bounded
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses

__all__ = ["ClientDirectory", "Forgotten"]

_log = logging.getLogger("latchpin.clients")

HEALING = timedelta(hours=1)
"""For how long after a client was dropped for ``invalid_client`` its successor is kept whatever happens."""
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Computed:
    """The last client_id of a gateway that was computed: at which server, and for which revision, URI and scopes."""

    server: ServerMetadata
    asked: tuple[int, str, tuple[str, ...]]
    client_id: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A deleted client, and what the server said when it was asked to forget it."""

    client: RegisteredClient
    answer: str


class ClientDirectory:
    """Gives the client of a gateway at a server, registering one if need be.

    Args:
        records: where registered clients are kept.
        kept, leases, pauses: what workers tell each other.
        cipher: seals their secrets.
        registrars: in the order of their rank.
        clock: the gateway's.
        redirect_uri: what gateways use that have none of their own.
        writes: tells what is written here of gateways, which may be removed or led elsewhere with their clients.
    """

    def __init__(
        self,
        *,
        records: RecordStore,
        kept: KeyValueRecords,
        leases: Leases,
        pauses: Pauses,
        cipher: Cipher,
        registrars: Sequence[ClientRegistrar],
        clock: Clock,
        redirect_uri: str = "",
        writes: RecordWrites | None = None,
    ) -> None:
        self._records = records
        self._marks = kept
        self._cipher = cipher
        self._rows = ClientRows(records.clients, kept, clock)
        self._kept = KeptClients(self._rows, cipher, clock, registrars)
        self._registrars = registrars
        self._clock = clock
        self._redirect_uri = redirect_uri
        self._registrations = Registrations(self._kept, Widening(self._kept, kept, pauses, clock), leases, pauses)
        self._computed: Bounded[str, _Computed] = Bounded(_MOST_REMEMBERED)
        self._issuers: Bounded[str, str] = Bounded(_MOST_REMEMBERED)
        """Under which issuer the client of a gateway was kept when it was asked for last."""
        if writes is not None:
            writes.listen(self._forget)

    async def look(self, gateway_id: str) -> None:
        """Read the kept client that is needed in a moment, beside what else is read for it; it may be another one.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        issuer = self._issuers.get(gateway_id)
        if issuer is not None:
            await self._rows.get(gateway_id, issuer, recent=True)

    async def client_id_for(
        self, gateway: Gateway, server: ServerMetadata, redirect_uri: str, scopes: Sequence[str]
    ) -> str:
        """Give the client_id to begin an authorization with; raises as ``client_for`` does.

        One that is computed is remembered for this revision of the gateway: its registrar says the same each time. Its
        secret is not, which is needed at the callback only.
        """
        asked = (gateway.revision, redirect_uri, tuple(scopes))
        computed = self._computed.get(gateway.id)
        if computed is not None and computed.server is server and computed.asked == asked:
            return computed.client_id
        client, keeps = await self._choose(gateway, server, redirect_uri, scopes)
        if keeps is Keeps.COMPUTED:
            self._computed[gateway.id] = _Computed(server, asked, client.client_id)
        return client.client_id

    async def client_for(
        self, gateway: Gateway, server: ServerMetadata, redirect_uri: str, scopes: Sequence[str]
    ) -> ClientCredentials:
        """Give the client to begin an authorization with.

        Raises:
            IssuerMissing: a registration is needed, and the server has no issuer to keep it under.
            RegistrationFailed: the server refused, or there is no way to a client_id.
            Unsealable: a secret was sealed under an AUTH_ENCRYPTION_SECRET that is gone.
            UpstreamError, BackendUnavailable: the server or the store could not be asked.
        """
        return (await self._choose(gateway, server, redirect_uri, scopes))[0]

    async def _choose(
        self, gateway: Gateway, server: ServerMetadata, redirect_uri: str, scopes: Sequence[str]
    ) -> tuple[ClientCredentials, Keeps]:
        """The client, and where it is kept."""
        request = self._request(gateway, server, redirect_uri, scopes)
        for registrar in self._registrars:
            try:
                answer = await self._ask(registrar, request)
            except RegistrationFailed as exc:
                others = [each for each in self._registrars if each is not registrar]
                raise list_ways(others, request, None).explain(exc) from exc
            if answer is not None:
                return answer, registrar.keeps
        kept = await self._kept.fitting(request)
        if kept is not None:
            return self._kept.open(kept), Keeps.REGISTERED
        raise list_ways(self._registrars, request, None).refusal()

    async def ways(
        self, gateway: Gateway, server: ServerMetadata, redirect_uri: str, scopes: Sequence[str]
    ) -> RegistrationOptions:
        """Say which way to a client would be taken, and why not the others. Registers nothing.

        Raises:
            Unsealable, BackendUnavailable: as for ``client_for``.
        """
        request = self._request(gateway, server, redirect_uri, scopes)
        kept = await self._kept.fitting(request)
        return list_ways(self._registrars, request, None if kept is None else kept.client_id)

    async def _ask(self, registrar: ClientRegistrar, request: RegistrationRequest) -> ClientCredentials | None:
        if registrar.keeps is Keeps.REGISTERED and request.configured is None:
            if request.server.issuer is not None:
                self._issuers[request.gateway.id] = request.server.issuer
            return await self._registrations.kept_or_registered(registrar, request)
        return _credentials(await registrar.register(request))

    async def close(self) -> None:
        """Let registrations that are under way end, before the stores are closed."""
        await self._registrations.close()

    async def existing(
        self, gateway: Gateway, server: ServerMetadata, *, deleted: Sequence[RegisteredClient] = ()
    ) -> ClientCredentials | None:
        """Give the client that is there already, None if there is none; it registers nothing.

        ``deleted`` are registered clients that were there until a moment ago; one of them may still act.

        Raises:
            Unsealable, BackendUnavailable: as for ``client_for``.
        """
        own, scopes = (gateway.oauth.redirect_uri, gateway.oauth.scopes) if gateway.oauth is not None else (None, ())
        request = self._request(gateway, server, own or self._redirect_uri, scopes)
        for registrar in self._registrars:
            if registrar.keeps is not Keeps.REGISTERED:
                answer = _credentials(await registrar.register(request))
                if answer is not None:
                    return answer
        kept = await self._kept.living(gateway.id, server.issuer, deleted=deleted, recent=True)
        if kept is not None:
            self._issuers[gateway.id] = kept.issuer
        return self._kept.open(kept) if kept is not None else None

    async def drop(self, gateway_id: str, issuer: str, *, client_id: str | None = None) -> bool:
        """Stop using the kept client, so that the next ``client_for`` registers anew; False if there is none.

        With ``client_id`` only that one: two who are told ``invalid_client`` at once drop it once.
        """
        kept = await self._rows.get(gateway_id, issuer)
        if kept is None or (client_id is not None and kept.client_id != client_id):
            return False
        _log.warning("DCR: the client registered for gateway %s at %s is not used any more", gateway_id, issuer)
        return await self._rows.delete(kept)

    async def reregister(self, refused: TokenRefused, gateway_id: str, issuer: str | None, client_id: str) -> bool:
        """After ``invalid_client``: drop a registered client, so that the next ``client_for`` registers anew.

        Once an hour for a gateway and issuer: where a new client is refused too, registering more does not help.

        Returns:
            Whether it was dropped, now or by another caller who was told the same; False after another refusal, and
            for a client that was not registered by us, which only an administrator can mend.
        """
        if refused.error != INVALID_CLIENT:
            return False
        kept = await self._rows.get(gateway_id, issuer) if issuer is not None else None
        place = f"{gateway_id}\n{issuer}".encode()
        mark = f"healed:client:{hashlib.sha256(place).hexdigest()}"
        if kept is None or issuer is None or kept.client_id != client_id:
            return await self._marks.get(mark) == client_id
        if await self._marks.put(mark, client_id, expires_at=self._clock() + HEALING) != client_id:
            return False
        await self.drop(gateway_id, issuer, client_id=client_id)
        return True

    async def delete(self, name: str) -> Forgotten:
        """Delete a kept client, by its row's id or by a client_id that is one row's, here and at the server.

        Raises:
            NotFound: there is none.
            Conflict: several rows have that client_id.
        """
        rows = await self._records.clients.list()
        found = [row for row in rows if row.id == name] or [row for row in rows if row.client_id == name]
        if len(found) > 1:
            ids = ", ".join(row.id for row in found)
            raise Conflict(
                f"{len(found)} registered clients have that client_id: {ids}", remedy="Delete by one of those ids."
            )
        if not found or not await self._rows.delete(found[0]):
            raise NotFound(
                "no registered client has that id or client_id", remedy="GET /oauth/registered-clients lists them."
            )
        return Forgotten(found[0], await self._kept.forget(found[0]))

    async def forget_all(self, clients: Sequence[RegisteredClient], *, within: timedelta) -> list[Forgotten]:
        """Ask the servers to forget clients that were deleted here; one answer for each, in their order.

        ``within``: after this nobody is waited for.
        """
        answers: dict[str, str] = {}

        async def forget(client: RegisteredClient) -> None:
            try:
                answers[client.id] = await self._kept.forget(client)
            except Exception as exc:  # noqa: BLE001  what was removed stays removed, whatever is wrong upstream
                answers[client.id] = f"{client.issuer} could not be asked to forget the client: {exc}"

        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(forget(client))
        late = "did not answer in time when it was asked to forget the client."
        return [Forgotten(client, answers.get(client.id, f"{client.issuer} {late}")) for client in clients]

    def _forget(self, gateway_id: str, owner: str | None, _label: str) -> None:
        if owner is None:
            self._rows.forget(gateway_id)

    def _request(
        self, gateway: Gateway, server: ServerMetadata, redirect_uri: str, scopes: Sequence[str]
    ) -> RegistrationRequest:
        config = gateway.oauth
        configured = None
        if config is not None and config.client_id is not None:
            configured = ClientCredentials(config.client_id, open_configured_secret(gateway, self._cipher))
        return RegistrationRequest(
            gateway=gateway,
            server=server,
            redirect_uri=redirect_uri,
            scopes=tuple(scopes),
            configured=configured,
            auth_method=_auth_method(gateway, server),
        )


def _auth_method(gateway: Gateway, server: ServerMetadata) -> str | None:
    """How the client is to prove itself: as the entry says, else as the provider is known to want an entered one."""
    own = gateway.oauth
    if own is None or own.token_endpoint_auth_method is not None or own.client_id is None or server.provider is None:
        return own.token_endpoint_auth_method if own is not None else None
    return server.provider.token_endpoint_auth_method


def _credentials(answer: ClientCredentials | Registration | None) -> ClientCredentials | None:
    return answer.credentials if isinstance(answer, Registration) else answer
