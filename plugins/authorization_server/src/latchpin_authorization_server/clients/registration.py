"""Dynamic Client Registration (RFC 7591): a client introduces itself, and is given a name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.contracts import Clock

from latchpin_authorization_server.clients.client import hash_secret
from latchpin_authorization_server.clients.metadata import parse_client_metadata
from latchpin_authorization_server.clients.records import ClientRecords, StoredClient
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.settings import AuthorizationServerSettings

__all__ = ["Registered", "Registration"]

UNUSED = timedelta(days=30)
"""How long a client is kept that nobody uses."""
WINDOW = timedelta(hours=1)
MOST_FROM_ONE_ADDRESS = 50
"""Registrations from one network address in an hour."""
MOST = 10_000
"""Registered clients in all."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client with what it alone is told, once.

    Attributes:
        secret: ``""`` for a public client.
        management_token: reads, changes and deletes the registration (RFC 7592).
    """

    stored: StoredClient
    secret: str = field(repr=False)
    management_token: str = field(repr=False)


class Registration:
    """Registers clients, as long as there is room."""

    def __init__(self, records: ClientRecords, settings: AuthorizationServerSettings, clock: Clock) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock

    async def register(self, said: Mapping[str, Any], *, address: str) -> Registered:
        """Register a client that ``address`` sends.

        Raises:
            OAuthError: the metadata do not hold, or there is no room.
        """
        now = self._clock()
        await self._check_room(address, now)
        client = parse_client_metadata(
            said,
            client_id=secrets.token_urlsafe(16),
            source="registered",
            schemes=self._settings.client_redirect_schemes,
        )
        secret = secrets.token_urlsafe(32) if client.auth_method != "none" else ""
        management_token = secrets.token_urlsafe(32)
        stored = StoredClient(
            replace(client, secret_hash=hash_secret(secret) if secret else ""),
            now,
            address,
            hash_secret(management_token),
            now + UNUSED,
        )
        return Registered(await self._records.put(stored), secret, management_token)

    async def _check_room(self, address: str, now: datetime) -> None:
        if await self._records.count_from(address, since=now - WINDOW) >= MOST_FROM_ONE_ADDRESS:
            raise OAuthError("temporarily_unavailable", "too many registrations from this address", status=429)
        if await self._records.count("registered") >= MOST:
            raise OAuthError("temporarily_unavailable", "too many clients are registered", status=503)
