"""What this process writes about gateways and tokens, told to whoever remembers what it read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latchpin.contracts import GatewayRecords, PagedTokens, RecordStore, TokenRecords
from latchpin.model import Gateway, StoredToken

__all__ = ["NotedRecords", "RecordWrites"]

Listener = Callable[[str, str | None, str], None]
"""Is given a gateway's id, a token's owner and its label. No owner: the gateway itself, or everybody's tokens."""


class RecordWrites:
    """Tells of writes once each has ended, whether it did anything or failed.

    Attributes:
        count: how many have ended. What was read while it changed may be from before one of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every write from now on."""
        self._listeners.append(listener)

    @contextmanager
    def noted(self, gateway_id: str, owner: str | None = None, label: str = "") -> Iterator[None]:
        """Note the write in the body."""
        try:
            yield
        finally:
            self.count += 1
            for listener in self._listeners:
                listener(gateway_id, owner, label)


class _NotedGateways:
    def __init__(self, gateways: GatewayRecords, writes: RecordWrites) -> None:
        self._gateways = gateways
        self._noted = writes.noted
        self.get = gateways.get
        self.list = gateways.list

    async def put(self, gateway: Gateway) -> None:
        with self._noted(gateway.id):
            await self._gateways.put(gateway)

    async def replace(self, gateway: Gateway) -> None:
        with self._noted(gateway.id):
            await self._gateways.replace(gateway)

    async def delete(self, gateway_id: str) -> bool:
        with self._noted(gateway_id):
            return await self._gateways.delete(gateway_id)


class _NotedTokens:
    def __init__(self, tokens: TokenRecords, writes: RecordWrites) -> None:
        self._tokens = tokens
        self._noted = writes.noted
        self.get = tokens.get
        self.list = tokens.list
        self.list_due = tokens.list_due
        self.count = tokens.count
        if isinstance(tokens, PagedTokens):
            self.page = tokens.page

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        with self._noted(token.gateway_id, token.app_user_email, token.label):
            await self._tokens.put(token, replacing=replacing)

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
        with self._noted(gateway_id, app_user_email, label):
            return await self._tokens.delete(gateway_id, app_user_email, label)

    async def delete_all(self, gateway_id: str) -> int:
        with self._noted(gateway_id):
            return await self._tokens.delete_all(gateway_id)


class NotedRecords:
    """A record store whose writes of gateways and tokens are noted."""

    def __init__(self, records: RecordStore, writes: RecordWrites) -> None:
        self.gateways: GatewayRecords = _NotedGateways(records.gateways, writes)
        self.tokens: TokenRecords = _NotedTokens(records.tokens, writes)
        self.clients = records.clients
        self.collection = records.collection
        self.purge = records.purge
        self.check = records.check
