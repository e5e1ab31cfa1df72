"""Gateways, tokens and clients over a bare ``KeyValue``. Lists and counts read all that there is of a kind."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

from latchpin.contracts import Clock
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Gateway, RegisteredClient, StoredToken, index_time
from latchpin.sdk.stores import default_of, status_of
from pydantic import TypeAdapter

from latchpin_key_value.contract import KeyValue, name_of, prefix_of, remove
from latchpin_key_value.documents import KIND, KeyValueCollection, parse_document
from latchpin_key_value.states import prove

__all__ = ["KeyValueRecordStore"]

RecordT = TypeVar("RecordT", Gateway, StoredToken, RegisteredClient)


class _Records(Generic[RecordT]):
    """All records of one kind, each under its key."""

    def __init__(self, store: KeyValue, kind: str, model: type[RecordT]) -> None:
        self._store = store
        self._kind = kind
        self._json: TypeAdapter[RecordT] = TypeAdapter(model)

    async def _held(self, key: str) -> tuple[RecordT | None, str | None]:
        text = await self._store.get(key)
        return None if text is None else self._json.validate_json(text), text

    async def _swap(self, key: str, old: str | None, record: RecordT, refusal: str) -> None:
        if not await self._store.swap(key, old, self._json.dump_json(record).decode()):
            raise RecordConflict(refusal)

    async def _all(self, *parts: str) -> list[RecordT]:
        found = await self._store.scan(*prefix_of(self._kind, *parts))
        return sorted((self._json.validate_json(text) for _, text in found), key=lambda record: record.created_at)


class _Gateways(_Records[Gateway]):
    def __init__(self, store: KeyValue) -> None:
        super().__init__(store, "gateway", Gateway)

    async def put(self, gateway: Gateway) -> None:
        await self._swap(name_of("gateway", gateway.id), None, gateway, f"gateway {gateway.id} exists already")

    async def get(self, gateway_id: str) -> Gateway | None:
        return (await self._held(name_of("gateway", gateway_id)))[0]

    async def list(self) -> list[Gateway]:
        return await self._all()

    async def replace(self, gateway: Gateway) -> None:
        held, text = await self._held(name_of("gateway", gateway.id))
        refusal = f"gateway {gateway.id}: revision {gateway.revision - 1} is not what is stored"
        if held is None or held.revision != gateway.revision - 1:
            raise RecordConflict(refusal)
        await self._swap(name_of("gateway", gateway.id), text, gateway, refusal)

    async def delete(self, gateway_id: str) -> bool:
        """First the gateway, so that nothing comes after it; then what belongs to it."""
        if not await remove(self._store, name_of("gateway", gateway_id)):
            return False
        await _Tokens(self._store, self).delete_all(gateway_id)
        clients = _Clients(self._store, self)
        for client in await clients.list(gateway_id=gateway_id):
            await clients.delete(client.id)
        return True

    async def require(self, gateway_id: str) -> None:
        """What belongs to a gateway needs it."""
        if await self._store.get(name_of("gateway", gateway_id)) is None:
            raise RecordConflict(f"gateway {gateway_id} is gone")


class _Tokens(_Records[StoredToken]):
    """A token that will be due has a second key, which sorts by when; it says where the token is."""

    def __init__(self, store: KeyValue, gateways: _Gateways) -> None:
        super().__init__(store, "token", StoredToken)
        self._gateways = gateways

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        if label is not None:
            return (await self._held(_place(gateway_id, app_user_email, label)))[0]
        place = _place(gateway_id, app_user_email, "")
        found = await self._store.scan(place, prefix_of("token", gateway_id, app_user_email)[1])
        tokens = (self._json.validate_json(text) for _, text in found)
        return default_of(token for token in tokens if token.app_user_email == app_user_email)

    async def list(
        self, *, gateway_id: str | None = None, app_user_email: str | None = None, label: str | None = None
    ) -> list[StoredToken]:
        found = await self._all(*([] if gateway_id is None else [gateway_id]))
        return [
            token for token in found if app_user_email in {None, token.app_user_email} and label in {None, token.label}
        ]

    async def list_due(self, now: datetime, *, limit: int) -> builtins.list[StoredToken]:
        begin, _ = prefix_of("due")
        due: builtins.list[StoredToken] = []
        while len(due) < limit:
            page = await self._store.scan(begin, name_of("due", f"{index_time(now)}~"), limit=limit)
            for key, place in page:
                token, _ = await self._held(place)
                if token is not None and _due(token) == key:
                    due.append(token)
            if len(page) < limit:
                break
            begin = f"{page[-1][0]}!"
        return due[:limit]

    async def count(self, now: datetime) -> Mapping[str, int]:
        return Counter(status_of(token, now) for token in await self._all())

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        place = _place(token.gateway_id, token.app_user_email, token.label)
        refusal = f"the token for gateway {token.gateway_id} changed since it was read"
        held, text = await self._held(place)
        if _version(held) != _version(replacing):
            raise RecordConflict(refusal)
        await self._gateways.require(token.gateway_id)
        if (due := _due(token)) is not None:
            await self._store.swap(due, None, place)
        await self._swap(place, text, token, refusal)
        if held is not None and (before := _due(held)) not in {None, due}:
            await remove(self._store, str(before))
        await self._keep(token)

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
        place = _place(gateway_id, app_user_email, label)
        held, _ = await self._held(place)
        if held is not None and (due := _due(held)) is not None:
            await remove(self._store, due)
        return await remove(self._store, place)

    async def delete_all(self, gateway_id: str) -> int:
        tokens = await self._all(gateway_id)
        return sum([await self.delete(gateway_id, token.app_user_email, token.label) for token in tokens])

    async def _keep(self, token: StoredToken) -> None:
        """A gateway that was deleted meanwhile did not take this token along."""
        try:
            await self._gateways.require(token.gateway_id)
        except RecordConflict:
            await self.delete(token.gateway_id, token.app_user_email, token.label)
            raise


def _place(gateway_id: str, app_user_email: str, label: str) -> str:
    """The key of a token; one without a label lies where it lay before there were labels."""
    return name_of("token", gateway_id, app_user_email, *([label] if label else []))


def _due(token: StoredToken) -> str | None:
    """The second key: when it is due, and which revision that holds for."""
    if token.renew_at is None:
        return None
    return name_of("due", index_time(token.renew_at), token.id, str(token.revision))


def _version(token: StoredToken | None) -> tuple[str, int] | None:
    return None if token is None else (token.id, token.revision)


class _Clients(_Records[RegisteredClient]):
    """A client has a second key, its id, which says where it is."""

    def __init__(self, store: KeyValue, gateways: _Gateways) -> None:
        super().__init__(store, "client", RegisteredClient)
        self._gateways = gateways

    async def get(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        return (await self._held(name_of("client", gateway_id, issuer)))[0]

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        return await self._all(*([] if gateway_id is None else [gateway_id]))

    async def put(self, client: RegisteredClient) -> None:
        refusal = f"gateway {client.gateway_id} has a client at {client.issuer} already"
        place, id_ = name_of("client", client.gateway_id, client.issuer), name_of("client-id", client.id)
        await self._gateways.require(client.gateway_id)
        if not await self._store.swap(id_, None, place):
            raise RecordConflict(refusal)
        try:
            await self._swap(place, None, client, refusal)
        except RecordConflict:
            await remove(self._store, id_)
            raise
        try:
            await self._gateways.require(client.gateway_id)
        except RecordConflict:
            await self.delete(client.id)
            raise

    async def replace(self, client: RegisteredClient, *, replacing: RegisteredClient) -> None:
        refusal = "the client was changed or deleted meanwhile"
        place = name_of("client", client.gateway_id, client.issuer)
        held, text = await self._held(place)
        if held != replacing:
            raise RecordConflict(refusal)
        await self._swap(place, text, client, refusal)

    async def delete(self, id: str) -> bool:  # noqa: A002  the contract's name
        place = await self._store.get(name_of("client-id", id))
        if place is None:
            return False
        await remove(self._store, name_of("client-id", id))
        held, text = await self._held(place)
        return held is not None and held.id == id and await self._store.swap(place, text, None)


class KeyValueRecordStore:
    """Implements ``latchpin.contracts.RecordStore``.

    Each lookup is one call, and each write of a token some seven. Lists, counts, ``purge`` and every scan of a
    collection read all there is of their kind: for hundreds of gateways and thousands of users, not for more.
    """

    def __init__(self, store: KeyValue, clock: Clock) -> None:
        self.gateways = _Gateways(store)
        self.tokens = _Tokens(store, self.gateways)
        self.clients = _Clients(store, self.gateways)
        self._store = store
        self._clock = clock

    def collection(self, spec: CollectionSpec) -> KeyValueCollection:
        """The documents of a plugin."""
        return KeyValueCollection(self._store, spec, self._clock)

    async def purge(self) -> int:
        """Read all documents, and remove those that expired."""
        now, removed = self._clock(), 0
        for key, text in await self._store.scan(*prefix_of(KIND)):
            if parse_document(text).expired(now):
                removed += await self._store.swap(key, text, None)
        return removed

    async def check(self) -> None:
        """Prove that reading and writing would work."""
        await prove(self._store)
