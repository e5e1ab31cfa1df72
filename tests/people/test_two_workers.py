"""Two workers over each store, calls under way at both and streams open: whoever leaves is out of all of it.

How long each end took is logged (``--log-cli-level=INFO``). It is not judged, since a busy machine would be: what the
gateway promises is judged by a clock in ``test_departures``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.aggregator.conftest import Program
from tests.proxy.conftest import ScriptedServer, begin, read, reply, start_scripted
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import (
    ALICE,
    PATIENCE,
    DeployedGateway,
    one_connection_to_each,
    settings_of,
    start_pair,
)

NEEDS = ("latchpin_aggregator", "latchpin_admin_cli", "latchpin_proxy")
pytestmark = [pytest.mark.backends("sqlite", "postgres", "redis"), pytest.mark.needs(*NEEDS)]

_log = logging.getLogger(__name__)

PING = {"jsonrpc": "2.0", "method": "ping", "id": 1}
SLOW = {"jsonrpc": "2.0", "method": "tools/call", "id": 2, "params": {"name": "slow"}}


async def _serve(_scope: Any, receive: Any, send: Any) -> None:
    """Answer a ping; anything else never ends: a stream by GET, and a call that nobody hears of again."""
    method, body = _scope["method"], await read(receive)
    if method == "POST" and b'"ping"' in body:
        await reply(send, 200, [("content-type", "application/json")], b'{"jsonrpc":"2.0","id":1,"result":{}}')
        return
    if method == "GET":
        await begin(send, 200, [("content-type", "text/event-stream")])
        await send({"type": "http.response.body", "body": b": hi\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with start_scripted(_serve) as server:
        yield server


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path) as started:
        yield started


@dataclass
class Life:
    """What goes on for Alice at both workers.

    Attributes:
        successes: when calls succeeded.
        ends: when each stream ended, and each call that was waiting.
    """

    url: str
    everything: str
    successes: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def lived(self, pair: DeployedGateway) -> AsyncIterator[None]:
        """Go on in the body, until everything has ended."""
        bearer = pair.bearer(ALICE, iat=int(time.time()))
        async with contextlib.AsyncExitStack() as stack:
            for work in (self._call, self._wait, self._listen, self._listen_to_all):
                for client in await stack.enter_async_context(one_connection_to_each(pair, bearer)):
                    begun = asyncio.Event()
                    self.tasks.append(asyncio.create_task(work(client, begun)))
                    await begun.wait()
            yield
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*self.tasks)

    async def _call(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        while (answer := await client.post(self.url, json=PING)).status_code == 200:
            self.successes.append(time.monotonic())
            begun.set()
        assert answer.status_code == 401, answer.text

    async def _wait(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        begun.set()
        answer = await client.post(self.url, json=SLOW)
        self.ends.append(time.monotonic())
        assert answer.status_code == 401, answer.text

    async def _listen(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        async with client.stream("GET", self.url) as stream:
            await self._read(stream, begun)

    async def _listen_to_all(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        program = Program(client, self.everything, "sessions")
        await program.begin()
        headers = program.headers("") | {"accept": "text/event-stream"}
        async with client.stream("GET", self.everything, headers=headers) as stream:
            await self._read(stream, begun)

    async def _read(self, stream: httpx.Response, begun: asyncio.Event) -> None:
        assert stream.status_code == 200
        async for _ in stream.aiter_raw():
            begun.set()
        self.ends.append(time.monotonic())


async def lives_until(
    pair: DeployedGateway, gateway_id: str, event: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """After how many seconds the last call succeeded, and the last stream ended."""
    life = Life(f"{pair.url}/gateways/{gateway_id}/mcp", f"{pair.url}/mcp")
    async with life.lived(pair):
        await event()
        at = time.monotonic()
    assert len(life.ends) == 6
    return max(life.successes) - at, max(life.ends) - at


async def test_whoever_leaves_is_out_at_both(
    pair: DeployedGateway,
    backend: GatewayBackend,
    tmp_path: Path,
    scripted: ScriptedServer,
):
    gateway_id = await pair.add(scripted.url, auth_type="none")
    env = settings_of(backend) | {"BASE_URL": pair.url}

    async def command(*words: str) -> None:
        done = await asyncio.to_thread(run_latchpin, "people", *words, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    async def by_api() -> None:
        async with pair.api() as admin:
            (await admin.put("/people/ended", params={"user": ALICE})).raise_for_status()

    async def by_signing_out() -> None:
        async with pair.api() as admin:
            (await admin.delete("/oauth/tokens", params={"user": ALICE})).raise_for_status()

    for name, event in (("command", lambda: command("end", ALICE, "--yes")), ("api", by_api), ("out", by_signing_out)):
        last_success, last_end = await lives_until(pair, gateway_id, event)
        _log.info(
            "%s, %s: last success after %.3f s, last end after %.3f s", backend.name, name, last_success, last_end
        )
        if name != "out":
            await command("restore", ALICE)
    assert "Traceback" not in pair.log
