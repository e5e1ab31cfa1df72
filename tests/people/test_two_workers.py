"""Two workers over each store, calls under way at both and streams open: a person who leaves is out of all of it.

How long each end took is logged (``--log-cli-level=INFO``). It is not judged, since a busy machine would be: what the
gateway promises is judged by a clock in ``test_departures``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_oidc_login.logout_token import EVENT

from tests.aggregator.conftest import Program
from tests.oidc_login.conftest import CLIENT, LyingProvider, signed, start_provider
from tests.proxy.conftest import ScriptedServer, begin, read, reply, start_scripted
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import (
    A_MOMENT,
    ALICE,
    PATIENCE,
    DeployedGateway,
    one_connection_to_each,
    settings_of,
    start_pair,
)

NEEDS = ("latchpin_aggregator", "latchpin_offboarding", "latchpin_oidc_login", "latchpin_proxy", "latchpin_scim")
pytestmark = [pytest.mark.backends("sqlite", "postgres", "redis"), pytest.mark.needs(*NEEDS)]

_log = logging.getLogger(__name__)

DIRECTORY = "the-token-of-a-directory-0123456789abcdef"
PING = {"jsonrpc": "2.0", "method": "ping", "id": 1}
SLOW = {"jsonrpc": "2.0", "method": "tools/call", "id": 2, "params": {"name": "slow"}}


class Endless:
    """Answers a ping; anything else never ends: a stream by GET, and a call that nobody hears of again.

    Attributes:
        waits: is released for each such call that came.
    """

    def __init__(self) -> None:
        self.waits = threading.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        method, body = scope["method"], await read(receive)
        if method == "POST" and b'"ping"' in body:
            await reply(send, 200, [("content-type", "application/json")], b'{"jsonrpc":"2.0","id":1,"result":{}}')
            return
        if method == "GET":
            await begin(send, 200, [("content-type", "text/event-stream")])
            await send({"type": "http.response.body", "body": b": hi\n\n", "more_body": True})
        elif b'"slow"' in body:
            self.waits.release()
        while (await receive())["type"] != "http.disconnect":
            pass


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.fixture
def scripted(endless: Endless) -> Iterator[ScriptedServer]:
    with start_scripted(endless) as server:
        yield server


@pytest.fixture
def provider() -> Iterator[LyingProvider]:
    with start_provider() as started:
        started.claims["email"] = ALICE
        yield started


@pytest.fixture
def settings(provider: LyingProvider) -> dict[str, str]:
    """What both workers have set, and the command too."""
    return {
        "OIDC_LOGIN_ISSUER": provider.issuer,
        "OIDC_LOGIN_CLIENT_ID": CLIENT,
        "OIDC_LOGIN_CLIENT_SECRET": "a-client-secret-of-the-tests",
        "SCIM_TOKEN": DIRECTORY,
    }


@pytest.fixture
def pair(backend: GatewayBackend, tmp_path: Path, settings: dict[str, str]) -> Iterator[DeployedGateway]:
    with start_pair(backend, tmp_path, **settings) as started:
        yield started


@dataclass
class Life:
    """What goes on for Alice at both workers.

    Attributes:
        waits: is released for each call that waits at its server.
        successes: when calls succeeded.
        ends: when each stream ended, and each call that was waiting.
    """

    url: str
    everything: str
    waits: threading.Semaphore
    successes: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def lived(self, pair: DeployedGateway) -> AsyncIterator[None]:
        """Go on in the body, until everything has ended."""
        bearer = pair.bearer(ALICE, iat=time.time())  # to the fraction: the last end was a moment ago
        async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for work in (self._call, self._wait, self._listen, self._listen_to_all):
                for client in await stack.enter_async_context(one_connection_to_each(pair, bearer)):
                    begun = asyncio.Event()
                    self.tasks.append(group.create_task(work(client, begun)))
                    await begun.wait()
            yield
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*self.tasks)

    async def _call(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        while (await client.post(self.url, json=PING)).status_code != 200:
            pass  # this worker may remember for a moment that she was out
        while (answer := await client.post(self.url, json=PING)).status_code == 200:
            self.successes.append(time.monotonic())
            begun.set()
            await asyncio.sleep(A_MOMENT)
        assert answer.status_code == 401, answer.text

    async def _wait(self, client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        asked = asyncio.create_task(client.post(self.url, json=SLOW))
        assert await asyncio.to_thread(self.waits.acquire, timeout=PATIENCE), "the server was not asked"
        begun.set()
        answer = await asked
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
    pair: DeployedGateway, gateway_id: str, endless: Endless, event: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """After how many seconds the last call succeeded, and the last stream ended."""
    life = Life(f"{pair.url}/gateways/{gateway_id}/mcp", f"{pair.url}/mcp", endless.waits)
    async with life.lived(pair):
        await event()
        at = time.monotonic()
    assert len(life.ends) == 6
    return max(life.successes) - at, max(life.ends) - at


@dataclass(frozen=True)
class Ends:
    """The ways in which Alice leaves, and comes back."""

    pair: DeployedGateway
    provider: LyingProvider
    folder: Path
    environment: dict[str, str]

    async def by_command(self) -> None:
        await self._command("end", ALICE, "--yes")

    async def by_api(self) -> None:
        async with self.pair.api() as admin:
            (await admin.put("/people/ended", params={"user": ALICE})).raise_for_status()

    async def by_directory(self) -> None:
        headers = {"Authorization": f"Bearer {DIRECTORY}"}
        async with httpx.AsyncClient(headers=headers, base_url=self.pair.url, trust_env=False, timeout=60) as http:
            user = (await http.post("/scim/v2/Users", json={"userName": ALICE})).raise_for_status().json()
            change = {"op": "Replace", "path": "active", "value": "False"}
            (await http.patch(f"/scim/v2/Users/{user['id']}", json={"Operations": [change]})).raise_for_status()

    async def by_signing_out(self) -> None:
        async with self.pair.api() as admin:
            (await admin.delete("/oauth/tokens", params={"user": ALICE})).raise_for_status()

    async def by_back_channel(self) -> None:
        now = int(time.time())
        said = {"iss": self.provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "jti": str(now)}
        token = signed({**said, "sub": "account-1", "events": {EVENT: {}}})
        async with httpx.AsyncClient(base_url=self.pair.url, trust_env=False, timeout=60) as http:
            answer = await http.post("/login/oidc/backchannel-logout", data={"logout_token": token})
        assert answer.status_code == 200, answer.text

    async def come_back(self) -> None:
        await self._command("restore", ALICE)

    async def sign_in(self) -> None:
        async with self.pair.browser(None) as browser:
            page = await browser.open(f"{self.pair.url}/login/oidc")
        assert page.status == 200, page.text

    async def _command(self, *words: str) -> None:
        done = await asyncio.to_thread(run_latchpin, "people", *words, env=self.environment, cwd=self.folder)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def ends(
    pair: DeployedGateway, backend: GatewayBackend, provider: LyingProvider, settings: dict[str, str], tmp_path: Path
) -> Ends:
    return Ends(pair, provider, tmp_path, settings_of(backend) | settings | {"BASE_URL": pair.url})


async def test_a_token_that_ends_alone_takes_its_streams_along_at_both(pair: DeployedGateway, scripted: ScriptedServer):
    gateway_id = await pair.add(scripted.url, auth_type="none")
    life = Life(f"{pair.url}/gateways/{gateway_id}/mcp", f"{pair.url}/mcp", threading.Semaphore())
    streams: dict[str, list[asyncio.Task[None]]] = {}
    async with pair.api(ALICE) as alice, contextlib.AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        for name in ("ends", "stays"):
            made = (await alice.post("/oauth2/personal-tokens", json={"name": name})).raise_for_status().json()
            tasks = streams[made["personal_token"]["id"]] = []
            for work in (life._listen, life._listen_to_all):
                for client in await stack.enter_async_context(one_connection_to_each(pair, made["token"])):
                    begun = asyncio.Event()
                    tasks.append(asyncio.create_task(work(client, begun)))
                    await begun.wait()
        ends, stays = streams.values()
        (await alice.delete(f"/oauth2/personal-tokens/{next(iter(streams))}")).raise_for_status()
        await asyncio.gather(*ends)
        assert not any(each.done() for each in stays)
        for each in stays:
            each.cancel()
        await asyncio.gather(*stays, return_exceptions=True)


async def test_whoever_leaves_is_out_at_both(
    pair: DeployedGateway, ends: Ends, scripted: ScriptedServer, endless: Endless, backend: GatewayBackend
):
    gateway_id = await pair.add(scripted.url, auth_type="none")
    await ends.sign_in()
    ways = [ends.by_command, ends.by_back_channel]  # who is out, and whose sign-ins have ended: no other way keeps more
    if backend.name == "postgres":
        ways += [ends.by_directory, ends.by_api, ends.by_signing_out]
    for end in ways:
        last_success, last_end = await lives_until(pair, gateway_id, endless, end)
        name = end.__name__
        _log.info(
            "%s, %s: last success after %.3f s, last end after %.3f s", backend.name, name, last_success, last_end
        )
        if end not in {ends.by_signing_out, ends.by_back_channel}:
            await ends.come_back()
    assert "Traceback" not in pair.log
