"""The rows of registered clients, one of which takes another's place so that a process that dies loses neither.

A record store creates clients and deletes them, and replaces none. So the new row is noted beforehand, and put by the
next caller who finds neither the old one nor the new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache, partial

from pydantic import TypeAdapter

from latchpin.contracts import ClientRecords, Clock, KeyValueRecords
from latchpin.errors import RecordConflict
from latchpin.model import RegisteredClient
from latchpin.workers.recent import Recent

__all__ = ["ClientRows"]

_MOST_RECENT = 10_000
NOTED = timedelta(days=30)
"""For how long a row that could not be put is noted."""


class ClientRows:
    """Reads, replaces and deletes rows.

    Args:
        records: the rows.
        kept: where a row is noted that is about to be put. Its secrets are sealed there too.
        clock: the gateway's.
    """

    def __init__(self, records: ClientRecords, kept: KeyValueRecords, clock: Clock) -> None:
        self._records = records
        self._kept = kept
        self._clock = clock
        self._recent: Recent[tuple[str, str], RegisteredClient | None] = Recent(clock, _MOST_RECENT)

    async def get(self, gateway_id: str, issuer: str, *, recent: bool = False) -> RegisteredClient | None:
        """The row, None if there is none. One that was noted and not put is put now.

        ``recent``: as it was read at most a second ago (``Recent``) will do. What is written here is seen at once.
        """
        key = (gateway_id, issuer)
        known = self._recent.get(key) if recent else None
        return known or await self._recent.read(key, partial(self._find, gateway_id, issuer))

    def forget(self, gateway_id: str) -> None:
        """Something is written here of a gateway's clients: what was read of them before goes."""
        self._recent.forget_each(lambda key: key[0] == gateway_id)

    async def _find(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        row = await self._records.get(gateway_id, issuer)
        if row is not None:
            return row
        name = _name(gateway_id, issuer)
        note = await self._kept.get(name)
        if note is not None:
            await self._put(_format().validate_json(note))
            await self._kept.take(name, value=note)
        return await self._records.get(gateway_id, issuer)  # who replaces it may have put it meanwhile

    async def put(self, client: RegisteredClient) -> None:
        """Create. Raises RecordConflict as the store does."""
        with self._noted(client.gateway_id):
            await self._records.put(client)

    async def replace(self, old: RegisteredClient, new: RegisteredClient) -> bool:
        """Write ``new`` over ``old``, whose id, gateway and issuer it has; False if ``old`` was deleted meanwhile.

        One caller at a time may do that for a gateway and issuer.
        """
        name, note = _name(new.gateway_id, new.issuer), _format().dump_json(new).decode()
        await self._kept.take(name)  # of a process that died after it had put it
        await self._kept.put(name, note, expires_at=self._clock() + NOTED)
        with self._noted(new.gateway_id):
            if not await self._records.delete(old.id):
                await self.delete(new)  # a reader may have put it
                return False
            await self._put(new)
        await self._kept.take(name, value=note)
        return True

    async def delete(self, client: RegisteredClient) -> bool:
        """Delete it, and what is noted in its place. False if there was none."""
        with self._noted(client.gateway_id):
            await self._kept.take(_name(client.gateway_id, client.issuer))
            return await self._records.delete(client.id)

    @contextmanager
    def _noted(self, gateway_id: str) -> Iterator[None]:
        try:
            yield
        finally:
            self.forget(gateway_id)

    async def _put(self, client: RegisteredClient) -> None:
        """Put what was noted, unless another caller has, or the gateway is gone."""
        with suppress(RecordConflict):
            await self._records.put(client)


def _name(gateway_id: str, issuer: str) -> str:
    place = f"{gateway_id}\n{issuer}".encode()
    return f"client:row:{hashlib.sha256(place).hexdigest()}"


@cache
def _format() -> TypeAdapter[RegisteredClient]:
    return TypeAdapter(RegisteredClient)
