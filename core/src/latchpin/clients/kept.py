"""The registered clients that are kept: which of them still fits, and how one takes another's place."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from latchpin.clients.rows import ClientRows
from latchpin.clients.secrets import open_registered_secret, open_registration_token, seal_client
from latchpin.contracts import Cipher, ClientRegistrar, Clock, Keeps, Registration, RegistrationRequest
from latchpin.errors import RecordConflict, RegistrationFailed
from latchpin.model import ClientCredentials, RegisteredClient

__all__ = ["KeptClients"]


class KeptClients:
    """Reads and writes registered clients, their secrets sealed."""

    def __init__(self, rows: ClientRows, cipher: Cipher, clock: Clock, registrars: Sequence[ClientRegistrar]) -> None:
        self._rows = rows
        self._cipher = cipher
        self._clock = clock
        self._registrars = registrars

    async def living(
        self,
        gateway_id: str,
        issuer: str | None,
        *,
        deleted: Sequence[RegisteredClient] = (),
        recent: bool = False,
    ) -> RegisteredClient | None:
        """The client kept for a gateway and issuer, unless it is inactive or its secret has expired.

        ``deleted`` are looked through where none is kept: they were until a moment ago. ``recent`` as for the rows.
        """
        kept = await self._rows.get(gateway_id, issuer, recent=recent) if issuer is not None else None
        kept = kept or next((client for client in deleted if client.issuer == issuer), None)
        return kept if kept is not None and self._lives(kept) else None

    async def fitting(self, request: RegistrationRequest, *, recent: bool = False) -> RegisteredClient | None:
        """The living client, if it has this redirect URI and may use the gateway's grant."""
        kept = await self.living(request.gateway.id, request.server.issuer, recent=recent)
        return kept if kept is not None and _fits(kept, request) else None

    def open(self, client: RegisteredClient) -> ClientCredentials:
        """The client with its secret open.

        Raises:
            Unsealable: it was sealed under a secret that is gone; says how to mend it.
        """
        secret = open_registered_secret(client, self._cipher)
        return ClientCredentials(client.client_id, secret, client.token_endpoint_auth_method)

    def open_token(self, client: RegisteredClient) -> str | None:
        """The token that manages the registration, None if there is none or it does not open."""
        return open_registration_token(client, self._cipher)

    async def keep(self, request: RegistrationRequest, registration: Registration) -> RegisteredClient:
        """Keep a registration in place of one that does not fit; give what is kept in the end.

        Whoever comes second, since its lease ran out meanwhile, gives its own registration back.

        Raises:
            RecordConflict: another one is kept now, and it does not fit either.
        """
        client = seal_client(request, registration, self._cipher, id=secrets.token_hex(16), now=self._clock())
        stale = await self._rows.get(client.gateway_id, client.issuer)
        if stale is not None and not (self._lives(stale) and _fits(stale, request)):
            await self._rows.delete(stale)
        try:
            await self._rows.put(client)
        except RecordConflict:
            await self.forget(client)
            kept = await self.fitting(request)
            if kept is None:
                raise
            return kept
        if stale is not None and stale.is_active:
            await self.forget(stale)
        return client

    async def replace(
        self, client: RegisteredClient, request: RegistrationRequest, registration: Registration
    ) -> RegisteredClient:
        """Keep what the server changed of a client in place of what was kept of it.

        Raises:
            RegistrationFailed: the client was deleted meanwhile; the server is asked to forget it.
        """
        changed = seal_client(request, registration, self._cipher, id=client.id, now=client.created_at)
        if not await self._rows.replace(client, changed):
            await self.forget(changed)
            raise RegistrationFailed(
                f"The client {client.client_id} was deleted while {client.issuer} added scopes to it.",
                remedy="Try again: it is then registered anew.",
            )
        return changed

    async def forget(self, client: RegisteredClient) -> str:
        """Ask the server to forget the client (RFC 7592); return what it said."""
        registrar = next((one for one in self._registrars if one.keeps is Keeps.REGISTERED), None)
        if registrar is None:
            return "No installed plugin can ask the server to forget it."
        return await registrar.forget(client, self.open_token(client))

    def _lives(self, client: RegisteredClient) -> bool:
        return client.is_active and (client.expires_at is None or client.expires_at > self._clock())


def _fits(client: RegisteredClient, request: RegistrationRequest) -> bool:
    oauth = request.gateway.oauth
    grant = oauth.grant_type if oauth is not None else "authorization_code"
    reachable = request.redirect_uri in client.redirect_uris or grant != "authorization_code"
    return reachable and grant in client.grant_types
