"""Takes over what authorization servers registered for ContextForge."""

from __future__ import annotations

import secrets
from contextlib import suppress

from latchpin.contracts import Registration, RegistrationRequest
from latchpin.errors import RecordConflict
from latchpin.model import ClientCredentials, Gateway, RegisteredClient
from latchpin.sdk.gateway import FoundServer, Services, seal_client

from latchpin_adopt_contextforge.opened import Opened
from latchpin_adopt_contextforge.report import LeftOut, Row
from latchpin_adopt_contextforge.source import SourceClient, SourceGateway
from latchpin_adopt_contextforge.translation import same_issuer

__all__ = ["ClientAdoption"]


class ClientAdoption:
    """Takes over clients, or says which it would take over.

    Args:
        services: of the gateway that they go to.
        opened: opens their secrets.
        write: without it, nothing is written.
    """

    def __init__(self, services: Services, opened: Opened, *, write: bool) -> None:
        self._services = services
        self._records = services.records
        self._opened = opened
        self._write = write

    async def take(
        self, theirs: SourceGateway, client: SourceClient, gateway: Gateway, found: FoundServer
    ) -> tuple[Row, str | None]:
        """Take over a registered client; the client that acts here then, None if none does."""
        issuer = found.metadata.issuer or ""
        there = await self._records.clients.get(gateway.id, issuer)
        if there is not None:
            return self._compare(theirs, client, there), there.client_id
        try:
            sealed = await self._seal(client, gateway, found)
        except LeftOut as out:
            return Row("client", theirs.name, "left out", client.issuer, out.why, out.remedy), None
        if self._write:
            with suppress(RecordConflict):  # another run was faster
                await self._records.clients.put(sealed)
        return Row("client", theirs.name, "new", client.issuer, *self._elsewhere(client)), client.client_id

    def _compare(self, theirs: SourceGateway, client: SourceClient, there: RegisteredClient) -> Row:
        if there.client_id == client.client_id:
            return Row("client", theirs.name, "there", client.issuer)
        return Row(
            "client",
            theirs.name,
            "left out",
            client.issuer,
            "Latchpin has registered another client there",
            f"If nobody has authorized with that one, delete it (DELETE /oauth/registered-clients/{there.id}) and run "
            "it again.",
        )

    def _elsewhere(self, client: SourceClient) -> tuple[str, str]:
        """What there is to say of where the server sends people back to."""
        redirect_uri = self._services.settings.redirect_uri
        if redirect_uri in client.redirect_uris:
            return "", ""
        theirs = " ".join(client.redirect_uris)[:200]
        why = (
            f"it is registered for {theirs}, and not for {redirect_uri}: the next authorization registers another "
            "client, and then all who were taken over authorize again"
        )
        return (
            why,
            "Serve Latchpin under ContextForge's URL (BASE_URL), or have Latchpin's redirect URI added at the server.",
        )

    async def _seal(self, client: SourceClient, gateway: Gateway, found: FoundServer) -> RegisteredClient:
        if client.expires_at is not None and client.expires_at <= self._services.clock():
            raise LeftOut("its secret has expired", "Nothing to do: Latchpin registers another one.")
        if not same_issuer(client.issuer, found.metadata.issuer):
            raise LeftOut(
                f"its gateway's server is {found.metadata.issuer} now", "Nothing to do: Latchpin registers another one."
            )
        secret = await self._opened.open_any(client.client_secret, "secret")
        manages = await self._opened.open_any(client.registration_access_token, "registration token")
        registration = Registration(
            credentials=ClientCredentials(
                client.client_id, secret, client.token_endpoint_auth_method if secret else "none"
            ),
            redirect_uris=client.redirect_uris,
            grant_types=client.grant_types,
            scope=client.scope,
            registration_client_uri=client.registration_client_uri,
            registration_access_token=manages,
            secret_expires_at=client.expires_at,
        )
        request = RegistrationRequest(
            gateway=gateway,
            server=found.metadata,
            redirect_uri=self._services.settings.redirect_uri,
            scopes=tuple(client.scope.split()),
            configured=None,
            auth_method=None,
        )
        now = client.created_at or self._services.clock()
        return seal_client(request, registration, self._services.cipher, id=secrets.token_hex(16), now=now)
