"""The service by itself: a long list does not hold up whoever else is served."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from latchpin.gateways.connections import AT_ONCE, ConnectionService
from latchpin.model import Caller
from latchpin.oauth.status import TokenHealth
from latchpin_testing import MovedClock, samples


async def test_others_are_served_while_many_tokens_are_opened():
    now = MovedClock()()
    gateway = samples.gateway(now)
    tokens = [samples.stored_token(now, gateway_id=gateway.id) for _ in range(5 * AT_ONCE)]

    async def listed(*_: object, **__: object) -> list[object]:
        return list(tokens)

    async def gateways() -> list[object]:
        return [gateway]

    served = 0

    async def serve_others() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    records = SimpleNamespace(tokens=SimpleNamespace(list=listed), gateways=SimpleNamespace(list=gateways))
    health = SimpleNamespace(health=lambda _: TokenHealth("valid", authorized=True))
    service = ConnectionService(
        SimpleNamespace(
            records=records, kept=None, tools=None, activity=None, clock=None, context=SimpleNamespace(endings=None)
        ),
        SimpleNamespace(),
        health,
    )
    others = asyncio.create_task(serve_others())
    try:
        found = await service.list(Caller("root@example.com", is_admin=True))
    finally:
        others.cancel()
    assert len(found) == len(tokens)
    assert served >= 5
