"""Clients that introduce themselves: they register (RFC 7591), and manage what they registered (RFC 7592)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from latchpin.errors import RecordConflict
from latchpin.model import CLIENT_ITSELF

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.metadata import parse_client_metadata
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.facts import CLIENT_CHANGED, CLIENT_REGISTERED
from latchpin_authorization_server.random_secrets import hash_secret, is_secret
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["Registered", "Registration", "issue_secret"]

WINDOW = timedelta(hours=1)
SETTLING = timedelta(hours=1)
"""So long a new client is left alone: its person may be signing in."""
_LOOKED_AT = 20
"""Of the oldest clients, where one has to make room: a flood must not make each registration dear."""
_OURS = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")
"""What a client may not send back (RFC 7592 section 2.2)."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A client with what it alone is told.

    Attributes:
        secret: ``""`` for a public client, and where it has been told before: only its hash is kept.
        management_token: reads, changes and deletes the registration (RFC 7592).
    """

    stored: StoredClient
    secret: str = field(repr=False)
    management_token: str = field(repr=False)


class Registration:
    """Registers clients, as long as there is room.

    Args:
        server: the authorization server.
    """

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def register(self, said: Mapping[str, Any], *, address: str) -> Registered:
        """Register a client that ``address`` sends.

        Raises:
            OAuthError: the metadata do not hold, or there is no room.
            BackendUnavailable: the store cannot be asked.
        """
        now = self._server.clock()
        client, secret = issue_secret(self._parse(said, secrets.token_urlsafe(16)))
        await self._check_room(address, now)
        token = secrets.token_urlsafe(32)
        ends = now + self._server.settings.registered_client_unused
        stored = await self._server.client_records.put(StoredClient(client, now, address, hash_secret(token), ends))
        await self._server.activity.tell(CLIENT_REGISTERED, actor=CLIENT_ITSELF, client_id=client.id)
        return Registered(stored, secret, token)

    async def read(self, client_id: str, token: str) -> Registered:
        """What is registered, for who manages it.

        Raises:
            OAuthError: ``invalid_token``: there is no such client, or the token is not its.
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self._server.client_records.get(client_id) if 0 < len(client_id) <= 255 else None  # noqa: PLR2004
        kept = stored.management_hash if stored is not None and stored.client.source == "registered" else ""
        if stored is None or not is_secret(token, kept):
            raise OAuthError("invalid_token", "the token does not manage this client", status=401)
        return Registered(stored, "", token)

    async def change(self, client_id: str, token: str, said: Mapping[str, Any]) -> Registered:
        """Put other metadata in place of a client's.

        Raises:
            OAuthError: the token is not its, or the metadata do not hold.
            BackendUnavailable: the store cannot be asked.
        """
        stored = (await self.read(client_id, token)).stored
        self._check_sent_back(said, stored.client)
        changed, secret = self._parse(said, client_id), ""
        if changed.auth_method != "none" and stored.client.secret_hash:
            changed = replace(changed, secret_hash=stored.client.secret_hash)
        else:
            changed, secret = issue_secret(changed)
        try:
            stored = await self._server.client_records.put(replace(stored, client=changed))
        except RecordConflict:
            raise OAuthError("temporarily_unavailable", "the client changes at this moment", status=503) from None
        await self._server.activity.tell(CLIENT_CHANGED, actor=CLIENT_ITSELF, client_id=client_id)
        return Registered(stored, secret, token)

    async def forget(self, client_id: str, token: str) -> None:
        """Delete a client, and end what it was allowed.

        Raises:
            OAuthError: the token is not its.
            BackendUnavailable: the store cannot be asked.
        """
        await self.read(client_id, token)
        await self._server.delete_client(client_id)

    def _parse(self, said: Mapping[str, Any], client_id: str) -> Client:
        schemes = self._server.settings.client_redirect_schemes
        return parse_client_metadata(said, client_id=client_id, source="registered", schemes=schemes)

    def _check_sent_back(self, said: Mapping[str, Any], client: Client) -> None:
        if said.get("client_id") != client.id:
            raise OAuthError("invalid_client_metadata", "client_id is another")
        if any(name in said for name in _OURS):
            raise OAuthError("invalid_client_metadata", f"{', '.join(_OURS)} are not the client's to say")
        secret = said.get("client_secret")
        if secret is not None and not (isinstance(secret, str) and client.has_secret(secret)):
            raise OAuthError("invalid_client_metadata", "client_secret is another")

    async def _check_room(self, address: str, now: datetime) -> None:
        settings, records = self._server.settings, self._server.client_records
        if await records.count_from(address, since=now - WINDOW) >= settings.client_registrations_per_hour:
            raise OAuthError("temporarily_unavailable", "too many registrations from this address", status=429)
        if await records.count("registered") >= settings.registered_clients_most and not await self._make_room(now):
            raise OAuthError("temporarily_unavailable", "too many clients are registered", status=503)

    async def _make_room(self, now: datetime) -> bool:
        """Let an old client go that nobody allows anything, so that a flood shuts nobody out."""
        for stored in await self._server.client_records.list_oldest("registered", limit=_LOOKED_AT):
            settled = now - stored.created_at > SETTLING
            if settled and not await self._server.grants.has_any(stored.client.id):
                return await self._server.client_records.delete(stored.client.id)
        return False


def issue_secret(client: Client) -> tuple[Client, str]:
    """The client with the hash of a new secret, and that secret, which nobody can read again; ``""`` if it needs none.

    It is random here, and never one of a server upstream.
    """
    if client.auth_method not in {"client_secret_basic", "client_secret_post"}:
        return client, ""
    secret = secrets.token_urlsafe(32)
    return replace(client, secret_hash=hash_secret(secret)), secret
