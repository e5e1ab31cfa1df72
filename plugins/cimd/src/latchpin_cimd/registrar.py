"""Gives the published client wherever the authorization server understands metadata documents."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from latchpin.contracts import Keeps, Registration, RegistrationRequest
from latchpin.model import ClientCredentials, RegisteredClient

from latchpin_cimd.document import PublishedClient, unfit
from latchpin_cimd.signing_key import SigningKey

__all__ = ["DocumentRegistrar"]

_log = logging.getLogger("latchpin.cimd")

LABEL = "Client ID Metadata Document"


@dataclass(frozen=True, slots=True)
class DocumentRegistrar:
    """The registrar.

    Attributes:
        client: None: it gives nobody anything.
        reason: why there is no client, empty if there is one.
        open_key: gives the key that proves the client; asked only where the client has one.
    """

    client: PublishedClient | None
    open_key: Callable[[], Awaitable[SigningKey]]
    reason: str = ""

    @property
    def label(self) -> str:
        """What people call it."""
        return LABEL

    @property
    def keeps(self) -> Keeps:
        """The client_id is the document's URL, at every server."""
        return Keeps.COMPUTED

    def obstacle(self, request: RegistrationRequest) -> str | None:
        """It needs a public https URL, and a server that understands documents."""
        return self.reason if self.client is None else unfit(request, self.client)

    async def register(self, request: RegistrationRequest) -> ClientCredentials | Registration | None:
        """Give the published client, or None where it does not serve.

        Raises:
            Unsealable, BackendUnavailable: its key cannot be read.
        """
        if self.client is None:
            return None
        reason = unfit(request, self.client)
        if reason is not None:
            _log.debug("CIMD: not used for gateway %s: %s", request.gateway.id, reason)
            return None
        if self.client.auth_method == "none":
            return ClientCredentials(self.client.client_id)
        key = await self.open_key()
        return ClientCredentials(self.client.client_id, key.private, self.client.auth_method)

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:  # noqa: ARG002
        """Nothing was registered, so there is nothing to forget."""
        return f"{client.issuer} reads a document about this client; it is not registered there."
