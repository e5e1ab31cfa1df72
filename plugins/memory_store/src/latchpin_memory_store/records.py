"""What lasts, in dictionaries: it lasts as long as the process. Every method runs without a pause."""

from __future__ import annotations

import builtins
import heapq
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Gateway, RegisteredClient, StoredToken
from latchpin.sdk.stores import default_of, status_of

from latchpin_memory_store.collections import MemoryCollection

__all__ = ["MemoryRecordStore"]


class _Gateways:
    def __init__(self, store: MemoryRecordStore) -> None:
        self._store = store
        self.rows: dict[str, Gateway] = {}

    async def put(self, gateway: Gateway) -> None:
        if gateway.id in self.rows:
            raise RecordConflict(f"gateway {gateway.id} exists already")
        self.rows[gateway.id] = gateway

    async def get(self, gateway_id: str) -> Gateway | None:
        return self.rows.get(gateway_id)

    async def list(self) -> list[Gateway]:
        return sorted(self.rows.values(), key=lambda gateway: gateway.created_at)

    async def replace(self, gateway: Gateway) -> None:
        stored = self.rows.get(gateway.id)
        if stored is None or stored.revision != gateway.revision - 1:
            held = "none" if stored is None else f"revision {stored.revision}"
            raise RecordConflict(f"gateway {gateway.id}: {held} is stored, not revision {gateway.revision - 1}")
        self.rows[gateway.id] = gateway

    async def delete(self, gateway_id: str) -> bool:
        if self.rows.pop(gateway_id, None) is None:
            return False
        self._store.tokens.drop(gateway_id)
        self._store.clients.drop(gateway_id)
        return True

    def require(self, gateway_id: str) -> None:
        """What belongs to a gateway needs it, as a foreign key does."""
        if gateway_id not in self.rows:
            raise RecordConflict(f"gateway {gateway_id} is gone")


class _Tokens:
    def __init__(self, gateways: _Gateways) -> None:
        self._gateways = gateways
        self.rows: dict[tuple[str, str, str], StoredToken] = {}
        self._labels: dict[tuple[str, str], set[str]] = {}
        """What labels there are, of those who have any."""

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        if label is not None:
            return self.rows.get((gateway_id, app_user_email, label))
        labels = ("", *self._labels.get((gateway_id, app_user_email), ()))
        found = (self.rows.get((gateway_id, app_user_email, each)) for each in labels)
        return default_of(token for token in found if token is not None)

    async def list(
        self, *, gateway_id: str | None = None, app_user_email: str | None = None, label: str | None = None
    ) -> list[StoredToken]:
        wanted = (gateway_id, app_user_email, label)
        matching = [
            token
            for place, token in self.rows.items()
            if all(want in {None, part} for want, part in zip(wanted, place, strict=True))
        ]
        return sorted(matching, key=lambda token: token.created_at)

    async def list_due(self, now: datetime, *, limit: int) -> builtins.list[StoredToken]:
        due = [
            (token.renew_at, place) for place, token in self.rows.items() if token.renew_at and token.renew_at <= now
        ]
        return [self.rows[place] for _, place in heapq.nsmallest(limit, due)]

    async def count(self, now: datetime) -> Mapping[str, int]:
        return Counter(status_of(token, now) for token in self.rows.values())

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        place = (token.gateway_id, token.app_user_email, token.label)
        stored = self.rows.get(place)
        if _version(stored) != _version(replacing):
            raise RecordConflict(f"the token for gateway {token.gateway_id} changed since it was read")
        self._gateways.require(token.gateway_id)
        self.write(token)

    def write(self, token: StoredToken) -> None:
        """Write it, whatever is there."""
        self.rows[token.gateway_id, token.app_user_email, token.label] = token
        if token.label:
            self._labels.setdefault((token.gateway_id, token.app_user_email), set()).add(token.label)

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
        self._forget((gateway_id, app_user_email), label)
        return self.rows.pop((gateway_id, app_user_email, label), None) is not None

    def _forget(self, owner: tuple[str, str], label: str) -> None:
        if owner in self._labels:
            self._labels[owner].discard(label)
            if not self._labels[owner]:
                del self._labels[owner]

    async def delete_all(self, gateway_id: str) -> int:
        return self.drop(gateway_id)

    def drop(self, gateway_id: str) -> int:
        places = [place for place in self.rows if place[0] == gateway_id]
        for place in places:
            del self.rows[place]
            self._forget(place[:2], place[2])
        return len(places)


def _version(token: StoredToken | None) -> tuple[str, int] | None:
    return None if token is None else (token.id, token.revision)


class _Clients:
    def __init__(self, gateways: _Gateways) -> None:
        self._gateways = gateways
        self.rows: dict[str, RegisteredClient] = {}

    async def get(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        matching = (row for row in self.rows.values() if (row.gateway_id, row.issuer) == (gateway_id, issuer))
        return next(matching, None)

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        matching = [client for client in self.rows.values() if gateway_id in {None, client.gateway_id}]
        return sorted(matching, key=lambda client: client.created_at)

    async def put(self, client: RegisteredClient) -> None:
        if client.id in self.rows or await self.get(client.gateway_id, client.issuer) is not None:
            raise RecordConflict(f"gateway {client.gateway_id} has a client at {client.issuer} already")
        self._gateways.require(client.gateway_id)
        self.rows[client.id] = client

    async def replace(self, client: RegisteredClient, *, replacing: RegisteredClient) -> None:
        if self.rows.get(client.id) != replacing:
            raise RecordConflict("the client was changed or deleted meanwhile")
        self.rows[client.id] = client

    async def delete(self, id: str) -> bool:  # noqa: A002  the contract's name
        return self.rows.pop(id, None) is not None

    def drop(self, gateway_id: str) -> None:
        self.rows = {id_: client for id_, client in self.rows.items() if client.gateway_id != gateway_id}


class MemoryRecordStore:
    """Implements ``latchpin.contracts.RecordStore``."""

    def __init__(self, clock: Clock) -> None:
        self.gateways = _Gateways(self)
        self.tokens = _Tokens(self.gateways)
        self.clients = _Clients(self.gateways)
        self._clock = clock
        self._collections: dict[str, MemoryCollection] = {}

    def collection(self, spec: CollectionSpec) -> MemoryCollection:
        """The documents of a plugin; the first to ask says how they are indexed."""
        return self._collections.setdefault(spec.name, MemoryCollection(spec, self._clock))

    async def purge(self) -> int:
        """Remove expired documents. Return how many."""
        return sum(collection.purge() for collection in self._collections.values())

    async def check(self) -> None:
        """Memory is always there."""

    def held(self) -> builtins.list[object]:
        """Everything held, for whoever wants to look at it whole."""
        parts = (self.gateways, self.tokens, self.clients)
        return [*(part.rows for part in parts), *(collection.rows for collection in self._collections.values())]
