"""Clients in the hands of administrators: they enter some, and list, look at and delete all that are kept here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from latchpin.errors import Conflict, NotFound, RecordConflict
from latchpin.model import Caller

from latchpin_authorization_server.clients.client import Client, Source
from latchpin_authorization_server.clients.entry import ClientEntry, build_client
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.clients.registration import issue_secret
from latchpin_authorization_server.facts import CLIENT_CHANGED, CLIENT_ENTERED
from latchpin_authorization_server.grant_types import GRANT_TYPES
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["EnteredClient", "KeptClients", "describe_client"]

_LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class EnteredClient:
    """A client that was entered just now.

    Attributes:
        secret: told this once; ``""`` where it needs none.
    """

    stored: StoredClient
    secret: str = field(repr=False)


class KeptClients:
    """What administrators do with the clients that are kept here. Whoever calls has checked that they are one.

    Args:
        server: the authorization server.
    """

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def enter(self, entry: ClientEntry, caller: Caller) -> EnteredClient:
        """Enter one.

        Raises:
            InvalidRequest: what was entered does not fit together.
            BackendUnavailable: the store cannot be asked.
        """
        client = build_client(
            entry,
            client_id=secrets.token_urlsafe(16),
            grant_types=GRANT_TYPES.keys(),
            schemes=self._server.settings.client_redirect_schemes,
        )
        client, secret = issue_secret(client)
        stored = await self._server.client_records.put(StoredClient(client, self._server.clock(), caller.email))
        await self._server.activity.tell(
            CLIENT_ENTERED,
            actor=caller.email,
            subject=client.acts_as,
            client_id=client.id,
            grant_types=client.grant_types,
        )
        return EnteredClient(stored, secret)

    def build(self, client_id: str, entry: ClientEntry) -> Client:
        """The client that ``put`` would keep, without its secret.

        Raises:
            InvalidRequest: what was entered does not fit together.
        """
        schemes = self._server.settings.client_redirect_schemes
        return build_client(entry, client_id=client_id, grant_types=GRANT_TYPES.keys(), schemes=schemes)

    async def put(
        self, client_id: str, entry: ClientEntry, secret_hash: str, caller: Caller, *, replacing: StoredClient | None
    ) -> StoredClient:
        """Keep a client under a ``client_id`` that somebody chose, or another entry in its place.

        Args:
            client_id: what it is called.
            entry: what was entered.
            secret_hash: of its secret; ``""`` where it has none.
            caller: who does it.
            replacing: what is kept now; None: nothing is.

        Raises:
            InvalidRequest: what was entered does not fit together.
            Conflict: something else is kept now.
            BackendUnavailable: the store cannot be asked.
        """
        client = replace(self.build(client_id, entry), secret_hash=secret_hash)
        if replacing is None:
            return await self._write(StoredClient(client, self._server.clock(), caller.email), caller)
        return await self._write(replace(replacing, client=client), caller)

    async def bring_back(
        self, earlier: StoredClient, caller: Caller, *, replacing: StoredClient | None
    ) -> StoredClient:
        """Keep a client as it was before, in the place of what is kept now; raises as ``put`` does."""
        return await self._write(replace(earlier, revision=0 if replacing is None else replacing.revision), caller)

    async def _write(self, stored: StoredClient, caller: Caller) -> StoredClient:
        client, is_new = stored.client, stored.revision == 0
        try:
            stored = await self._server.client_records.put(stored)
        except RecordConflict:
            raise Conflict("the client was changed by somebody else", remedy="Read it again.") from None
        self._server.standing_clients.clear()
        tell, named = self._server.activity.tell, {"actor": caller.email, "subject": client.acts_as}
        if is_new:
            await self._server.forget_deleted(client.id)
            await tell(CLIENT_ENTERED, **named, client_id=client.id, grant_types=client.grant_types)
        else:
            await tell(CLIENT_CHANGED, **named, client_id=client.id)
        return stored

    async def list(self, source: Source, *, after: str = "", limit: int) -> list[StoredClient]:
        """At most ``limit`` of those that were entered, or that registered themselves, the newest first.

        Args:
            source: where they come from.
            after: the ``client_id`` of the last one that was seen, to go on behind it.
            limit: how many at most.

        Raises:
            NotFound: there is no client ``after``.
            BackendUnavailable: the store cannot be asked.
        """
        seen = await self.get(after) if after else None
        return await self._server.client_records.list(source, after=seen, limit=limit)

    async def count(self, source: Source) -> int:
        """How many there are of that source."""
        return await self._server.client_records.count(source)

    async def get(self, client_id: str) -> StoredClient:
        """One of them.

        Raises:
            NotFound: there is none.
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self._server.client_records.get(client_id) if 0 < len(client_id) <= _LONGEST_ID else None
        if stored is None:
            raise NotFound("no client of that client_id is kept here")
        return stored

    async def delete(self, client_id: str, caller: Caller) -> StoredClient:
        """Delete one, with all that people allowed it; its tokens end within a second everywhere.

        Raises:
            NotFound: there is none.
            BackendUnavailable: the store cannot be asked.
        """
        stored = await self.get(client_id)
        if not await self._server.delete_client(client_id, actor=caller.email):
            raise NotFound("no client of that client_id is kept here any more")
        return stored


def describe_client(stored: StoredClient) -> dict[str, Any]:
    """A client as the API and ``--json`` show it: without its secret, of which only a hash is kept."""
    client = stored.client
    return {
        "client_id": client.id,
        "name": client.name,
        "source": client.source,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "token_endpoint_auth_method": client.auth_method,
        "acts_as": client.acts_as or None,
        "created_at": stored.created_at.isoformat(),
        "created_by": stored.created_by,
        "expires_at": None if stored.expires_at is None else stored.expires_at.isoformat(),
    }
