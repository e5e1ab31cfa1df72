"""Which stored secrets open with no key that the settings have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from latchpin.errors import Unsealable
from latchpin.model import StoredToken
from latchpin.sdk.checks import count_closed
from latchpin.sdk.gateway import Application, open_configured_secret, open_registered_secret

__all__ = ["count_unsealable"]

RecordT = TypeVar("RecordT")

AT_ONCE = 200


async def count_unsealable(application: Application) -> Mapping[str, int]:
    """How many there are, by what they are; empty if all open.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    services, tokens = application.services, application.tokens
    records, cipher = services.records, services.cipher

    def open_token(token: StoredToken) -> None:
        if not tokens.health(token).opens:
            raise Unsealable

    closed = {
        "users' tokens": await _closed(await records.tokens.list(), open_token),
        "registered clients": await _closed(
            await records.clients.list(), lambda client: open_registered_secret(client, cipher)
        ),
        "entered client secrets": await _closed(
            await records.gateways.list(), lambda gateway: open_configured_secret(gateway, cipher)
        ),
    }
    for spec in services.declared.values():
        closed[f"documents of {spec.name}"] = await count_closed(spec, records, cipher)
    return {what: count for what, count in closed.items() if count}


async def _closed(records: Iterable[RecordT], open_it: Callable[[RecordT], object]) -> int:
    count = 0
    for number, record in enumerate(records, start=1):
        try:
            open_it(record)
        except Unsealable:
            count += 1
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)  # a gateway that serves goes on in between
    return count
