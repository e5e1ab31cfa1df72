"""The grants that stand, a document each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime

from latchpin.contracts import Collection
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.keys import collection_use
from latchpin.sdk.stores import scan_all

from latchpin_authorization_server.grants.grant import Grant

__all__ = ["GRANTS", "KEY_USE", "GrantRecords"]

GRANTS = CollectionSpec("authorization_grants", ("person", "client"), sealed=frozenset({"successor"}))
"""Each index goes on with the time of creation."""
KEY_USE = collection_use(GRANTS)

_TIMES = ("created_at", "used_at", "expires_at", "code_until", "rotated_at")
_PAGE = 100


class GrantRecords:
    """Keeps grants."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    async def put(self, grant: Grant) -> Grant:
        """Create or change; raises RecordConflict if another revision is stored."""
        written = await self._documents.put(_dump(grant))
        return replace(grant, revision=written.revision)

    async def get(self, grant_id: str) -> Grant | None:
        """Look. None if there is none, or it has ended."""
        held = await self._documents.get(grant_id)
        return None if held is None else _parse(held)

    async def end(self, grant_id: str) -> bool:
        """End it: its tokens are worth nothing from now on. False if it had ended."""
        return await self._documents.delete(grant_id)

    async def of_person(self, email: str) -> AsyncIterator[Grant]:
        """All that one person allowed, the newest first."""
        async for grant in self._scan("person", f"{email}\n"):
            yield grant

    async def beyond(self, email: str, most: int) -> list[Grant]:
        """The oldest ones of a person of which they have more than ``most``, some at a time."""
        within = Span.prefix(f"{email}\n")
        over = await self._documents.count("person", within) - most
        if over <= 0:
            return []
        return [_parse(held) for held in await self._documents.scan("person", within, limit=min(over, _PAGE))]

    async def of_everybody(self) -> AsyncIterator[Grant]:
        """All that anybody allowed, by person."""
        async for grant in self._scan("person", ""):
            yield grant

    async def of_client(self, client_id: str) -> AsyncIterator[Grant]:
        """All that one client was allowed, the newest first."""
        async for grant in self._scan("client", f"{client_id}\n"):
            yield grant

    async def stands(self, grant_id: str) -> bool:
        """Whether there is one."""
        return await self.get(grant_id) is not None

    async def has_any(self, client_id: str) -> bool:
        """Whether anybody allowed a client anything that still stands."""
        return await self._documents.count("client", Span.prefix(f"{client_id}\n")) > 0

    async def _scan(self, index: str, prefix: str) -> AsyncIterator[Grant]:
        async for held in scan_all(self._documents, index, Span.prefix(prefix), newest_first=True):
            yield _parse(held)


def _dump(grant: Grant) -> Document:
    body = asdict(grant)
    for name in ("id", "revision"):
        del body[name]
    body |= {name: moment.isoformat() for name in _TIMES if (moment := body[name]) is not None}
    created = index_time(grant.created_at)
    index = {"person": f"{grant.email}\n{created}", "client": f"{grant.client_id}\n{created}"}
    return Document(grant.id, body, index, grant.revision, grant.expires_at)


def _parse(held: Document) -> Grant:
    body = dict(held.body)
    body |= {name: datetime.fromisoformat(text) for name in _TIMES if (text := body[name]) is not None}
    return Grant(id=held.id, revision=held.revision, **body)
