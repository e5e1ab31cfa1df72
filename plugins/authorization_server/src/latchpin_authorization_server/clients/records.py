"""The clients that are kept here: entered ones and those that registered themselves."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from latchpin.contracts import Collection
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import scan_all

from latchpin_authorization_server.clients.client import Client, Source, read_client

__all__ = ["CLIENTS", "ClientRecords", "StoredClient"]

CLIENTS = CollectionSpec("authorization_clients", ("source", "address"))
"""``source`` goes on with the time of creation, and so does ``address``."""


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client with what is kept beside it.

    Attributes:
        created_at: when it was entered or registered.
        created_by: the administrator's address, or the network address that registered it.
        management_hash: SHA-256 of the token that manages its registration (RFC 7592); ``""`` where it has none.
        expires_at: when it is forgotten, unless it is used before; None: never.
        revision: of the document, for compare and swap.
    """

    client: Client
    created_at: datetime
    created_by: str = ""
    management_hash: str = ""
    expires_at: datetime | None = None
    revision: int = 0


class ClientRecords:
    """Keeps clients."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    async def put(self, stored: StoredClient) -> StoredClient:
        """Create or change; raises RecordConflict if another revision is stored."""
        written = await self._documents.put(_dump(stored))
        return replace(stored, revision=written.revision)

    async def get(self, client_id: str) -> StoredClient | None:
        """Look. None if there is none."""
        held = await self._documents.get(client_id)
        return None if held is None else _parse(held)

    async def delete(self, client_id: str) -> bool:
        """Forget it. False if there was none."""
        return await self._documents.delete(client_id)

    async def list(
        self, source: Source, *, after: StoredClient | None = None, limit: int
    ) -> builtins.list[StoredClient]:
        """At most ``limit`` of that source, the newest first.

        Args:
            source: where they come from.
            after: the last one that was seen, to go on behind it.
            limit: how many at most.
        """
        seen = None if after is None else (_dump(after).fields["source"], after.client.id)
        within = Span.prefix(f"{source}\n")
        found = await self._documents.scan("source", within, after=seen, limit=limit, newest_first=True)
        return [_parse(held) for held in found]

    async def scan(self, source: Source) -> AsyncIterator[StoredClient]:
        """All of that source, the newest first."""
        async for held in scan_all(self._documents, "source", Span.prefix(f"{source}\n"), newest_first=True):
            yield _parse(held)

    async def list_oldest(self, source: Source, *, limit: int) -> builtins.list[StoredClient]:
        """At most ``limit`` of that source, the oldest first."""
        return [_parse(held) for held in await self._documents.scan("source", Span.prefix(f"{source}\n"), limit=limit)]

    async def count(self, source: Source) -> int:
        """How many there are of that source."""
        return await self._documents.count("source", Span.prefix(f"{source}\n"))

    async def count_from(self, address: str, *, since: datetime) -> int:
        """How many registered from a network address since then."""
        return await self._documents.count("address", Span(f"{address}\n{index_time(since)}", f"{address}\n\x7f"))


def _dump(stored: StoredClient) -> Document:
    created = index_time(stored.created_at)
    index = {"source": f"{stored.client.source}\n{created}"}
    if stored.client.source == "registered":
        index["address"] = f"{stored.created_by}\n{created}"
    body: dict[str, Any] = {
        "client": asdict(stored.client),
        "created_at": stored.created_at.isoformat(),
        "created_by": stored.created_by,
        "management_hash": stored.management_hash,
    }
    return Document(stored.client.id, body, index, stored.revision, stored.expires_at)


def _parse(held: Document) -> StoredClient:
    return StoredClient(
        read_client(held.body["client"]),
        datetime.fromisoformat(held.body["created_at"]),
        held.body["created_by"],
        held.body["management_hash"],
        held.expires_at,
        held.revision,
    )
