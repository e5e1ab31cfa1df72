"""API keys over the native way: in the field that the gateway names, and in no other one that was configured before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from latchpin_edge.kinds import Kind

from tests.api_keys.keyed_server import start_keyed
from tests.edge.conftest import CALL, TICK, Edge, start_edge
from tests.servers.processes import DEADLINE
from tests.support.gateway_process import ALICE

FIRST, SECOND = "sk-first-0123456789", "sk-second-0123456789"


@pytest.fixture(scope="module", params=list(Kind))
def keeping(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Edge]:
    """It goes by an answer for as long as a test may take, and would pass callers' own fields of the key's names on."""
    settings = {"EDGE_CACHE_SECONDS": "300", "EDGE_HEADERS": "X-API-Key X-Other-Key"}
    with start_edge(Path(tmp_path_factory.mktemp("keeping")), request.param, **settings) as started:
        yield started


async def enter(edge: Edge, gateway: str, key: str) -> None:
    async with edge.gateway.api(ALICE) as client:
        answer = await client.put(f"/gateways/{gateway}/key", json={"key": key})
    assert answer.status_code == 200, answer.text


async def call_until_native(edge: Edge, gateway: str, **headers: str) -> None:
    """Call until a call was not the proxy's; each has to be served."""
    async with asyncio.timeout(DEADLINE):
        proxied = -1
        while proxied != (proxied := await edge.proxied(gateway)):
            answer = await edge.call(gateway, **headers)
            assert '"3"' in answer.text, answer.text
            await asyncio.sleep(TICK)


async def test_a_key_goes_up_in_its_own_field_alone(keeping: Edge):
    with start_keyed(("x-api-key", FIRST), ("x-other-key", f"Key {SECOND}")) as server:
        gateway = await keeping.add(server.url, auth_type="api_key", api_key={"header": "X-API-Key"})
        await enter(keeping, gateway, FIRST)
        server.arrived.clear()
        await call_until_native(keeping, gateway, x_api_key="the caller's own", x_other_key="theirs")
        assert server.shown("x-api-key") == {FIRST}
        assert not server.shown("authorization")
        async with keeping.gateway.api() as admin:
            changed = {"api_key": {"header": "X-Other-Key", "prefix": "Key "}}
            assert (await admin.put(f"/gateways/{gateway}", json=changed)).status_code == 200
        await enter(keeping, gateway, SECOND)  # at once: the data plane goes by what it keeps until it is told
        server.arrived.clear()  # the gateway has tried the key there
        async with asyncio.timeout(DEADLINE):
            while f"Key {SECOND}" not in server.shown("x-other-key"):
                await keeping.call(gateway)
                await asyncio.sleep(TICK)
        server.arrived.clear()
        await call_until_native(keeping, gateway, x_other_key="the caller's own")
        assert server.shown("x-other-key") == {f"Key {SECOND}"}
        assert not any(SECOND in value for value in server.shown("x-api-key"))


async def test_what_was_granted_for_one_server_never_reaches_the_one_that_the_gateway_is_moved_to(keeping: Edge):
    """Neither by what the data plane kept of the answer, nor by a connection that lives on from before."""
    with start_keyed(("authorization", f"Bearer {FIRST}")) as server, start_keyed() as next_one:
        gateway = await keeping.gateway.add(server.url, auth_type="api_key")
        await enter(keeping, gateway, FIRST)
        await keeping.until_native(gateway)
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(keeping.client()) for _ in range(8)]

            async def call_all() -> None:
                calls = [each.post(f"/gateways/{gateway}/mcp", content=CALL) for each in clients]
                await asyncio.gather(*calls, keeping.call(gateway), return_exceptions=True)  # nginx hangs up at times

            server.arrived.clear()
            proxied = await keeping.proxied(gateway)
            async with asyncio.timeout(DEADLINE):
                while len(server.arrived) < 50:
                    await call_all()
            assert await keeping.proxied(gateway) == proxied, "the data plane has kept nothing"
            async with keeping.gateway.api() as admin:
                moved = await admin.put(f"/gateways/{gateway}", json={"url": next_one.url})
            assert moved.status_code == 200
            next_one.fields.add(("authorization", f"Bearer {SECOND}"))
            await enter(keeping, gateway, SECOND)
            next_one.arrived.clear()
            async with asyncio.timeout(DEADLINE):
                while len(next_one.arrived) < 100:  # what is kept of the old answer leads there as soon as it can
                    await call_all()
        assert not any(FIRST in value for value in next_one.shown("authorization"))
        assert not any(SECOND in value for value in server.shown("authorization"))
