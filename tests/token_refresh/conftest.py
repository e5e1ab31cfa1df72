"""An authorization server that rotates refresh tokens, and tokens put into a store for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import aiohttp
import httpx
import pytest
from latchpin.application import Application
from latchpin.assembly.assembling import assemble
from latchpin.assembly.clock import utc_now
from latchpin.contracts import Clock
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, Gateway, StoredToken, TokenGrant
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.tokens.sealing import build_token

from tests.servers import GatewayBackend, serve_asgi
from tests.support.gateway_in_process import MovedClock
from tests.support.gateway_process import ALICE, DeployedGateway, create_schema, deploy_gateway, settings_of

# An authorization server that rotates refresh tokens and takes a second use for theft, with an MCP server beside it.
#
# It is small, so that a thousand callers cost little, and tells what it saw: ``GET /seen``.


Hook = Callable[[str], Awaitable[None]]


@dataclass
class Seen:
    """What arrived.

    Attributes:
        refreshes: each refresh token that came to the token endpoint, in order.
        answers: what became of each.
        bearers: how often the MCP server was shown each access token that it took.
        most: the most refreshes under way at one moment.
    """

    refreshes: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    bearers: Counter[str] = field(default_factory=Counter)
    most: int = 0


async def _at_once(_refresh_token: str) -> None:
    return


class RotatingServer:
    """A family of tokens begins with any refresh token ``name.0``; its next ones are ``name.1``, ``name.2``, ...

    Who sends none gets the client's own token.

    Args:
        lifetime: of the access tokens, seconds.
        rotates: whether each refresh token is good once.

    Attributes:
        before: awaited before a refresh is carried out, with its refresh token.
        after: awaited when it has been, before the answer leaves.
        under_way: refreshes that are under way now.
        failing: a status that the token endpoint answers instead of doing anything.
        refresh_lifetime: of the refresh tokens, seconds; 0: it does not say.
        refusing: access tokens that the MCP server answers with 401; ``"*"`` means all.
    """

    def __init__(self, *, lifetime: int = 3600, rotates: bool = True) -> None:
        self.seen = Seen()
        self.before: Hook = _at_once
        self.after: Hook = _at_once
        self.refusing: set[str] = set()
        self.failing: int | None = None
        self._lifetime = lifetime
        self.rotates = rotates
        self.refresh_lifetime = 0
        self._current: dict[str, int] = {}
        self._stolen: set[str] = set()
        self.under_way = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/token":
            await self._token(body, send)
        elif scope["path"] == "/seen":
            await _answer(send, 200, self.tell())
        elif scope["path"].startswith("/.well-known/oauth-authorization-server"):
            await _answer(send, 200, _metadata(f"http://{dict(scope['headers'])[b'host'].decode()}"))
        else:
            await self._mcp(dict(scope["headers"]), send)

    def tell(self) -> dict[str, Any]:
        """What was seen, for JSON."""
        return {"refreshes": len(self.seen.refreshes), "bearers": dict(self.seen.bearers), "most": self.seen.most}

    async def _token(self, body: bytes, send: Any) -> None:
        refresh_token = parse_qs(body.decode()).get("refresh_token", ["own.-1"])[0]
        self.seen.refreshes.append(refresh_token)
        self.under_way += 1
        self.seen.most = max(self.seen.most, self.under_way)
        try:
            await self.before(refresh_token)
            status, document = self._redeem(refresh_token)
            await self.after(refresh_token)
        finally:
            self.under_way -= 1
        self.seen.answers.append(document.get("access_token") or document["error"])
        await _answer(send, status, document)

    def _redeem(self, refresh_token: str) -> tuple[int, dict[str, Any]]:
        if self.failing is not None:
            return self.failing, {"error": "temporarily_unavailable"}
        family, _, number = refresh_token.rpartition(".")
        current = self._current.setdefault(family, 0)
        if self.rotates and int(number) >= 0 and int(number) != current:
            self._stolen.add(family)
        if family in self._stolen:
            return 400, {"error": "invalid_grant"}
        self._current[family] = current + 1
        answer = {
            "access_token": f"{family}-access-{current + 1}",
            "token_type": "Bearer",
            "expires_in": self._lifetime,
        }
        if self.refresh_lifetime:
            answer["refresh_token_expires_in"] = self.refresh_lifetime
        return 200, answer | ({"refresh_token": f"{family}.{current + 1}"} if self.rotates else {})

    async def _mcp(self, headers: dict[bytes, bytes], send: Any) -> None:
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        if not token or token in self.refusing or "*" in self.refusing:
            await _answer(send, 401, {"error": "invalid_token"})
            return
        self.seen.bearers[token] += 1
        await _answer(send, 200, {"jsonrpc": "2.0", "id": 1, "result": {}})


async def _answer(send: Any, status: int, document: Any) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _metadata(origin: str) -> dict[str, Any]:
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "registration_endpoint": f"{origin}/register",
        "code_challenge_methods_supported": ["S256"],
    }


# Gateways and tokens put into a store as the gateway itself puts them, without a browser's way through a provider.


HOUR = timedelta(hours=1)
_ADMIN = Caller("admin@example.com", is_admin=True, via="local")


@contextlib.asynccontextmanager
async def open_application(environment: Mapping[str, str], clock: Clock = utc_now) -> AsyncIterator[Application]:
    """The scripts of a gateway over its real stores, as one more worker beside those that serve."""
    with mock.patch.dict(os.environ, environment):
        plugins, settings = Plugins(), load(CoreSettings)
        async with assemble(plugins, settings, clock=clock) as services:
            application = Application(services)
            yield application
            await application.close()


async def add_gateway(application: Application, server: str, **oauth: object) -> Gateway:
    """A gateway before ``server`` whose entry says everything, so that nothing is looked for."""
    config: dict[str, object] = {
        "client_id": "client",
        "client_secret": "the client's secret",
        "issuer": server,
        "authorization_url": f"{server}/authorize",
        "token_url": f"{server}/token",
        **oauth,
    }
    config = {name: value for name, value in config.items() if value is not None}
    return await application.gateways.create(
        parse_gateway_body({"url": f"{server}/mcp", "oauth_config": config}), _ADMIN
    )


async def put_token(
    application: Application,
    gateway: Gateway,
    email: str,
    *,
    refresh_token: str | None,
    age: timedelta = HOUR,
    life: timedelta = HOUR,
) -> StoredToken:
    """A token that was issued ``age`` ago to live ``life``; as it stands it has just expired."""
    services = application.services
    issued_at = services.clock() - age
    assert gateway.oauth is not None
    grant = TokenGrant(f"{email}-first", "Bearer", issued_at + life, refresh_token)
    token = build_token(
        services.cipher,
        grant,
        gateway_id=gateway.id,
        app_user_email=email,
        issuer=gateway.oauth.issuer,
        resource=None,
        client_id="client",
        scopes=(),
        earlier=None,
        now=issued_at,
    )
    await services.records.tokens.put(token, replacing=None)
    return token


# What the tests of tokens begin with: a rotating server, and workers on one store.


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def server() -> RotatingServer:
    return RotatingServer()


@pytest.fixture
def origin(server: RotatingServer) -> Iterator[str]:
    with serve_asgi(server, lifespan="off") as url:
        yield url


@pytest.fixture
def settings(backend: GatewayBackend, tmp_path) -> dict[str, str]:
    """The environment of every worker on this test's store, which is there and has its tables."""
    found = settings_of(backend) | {"OAUTH_REQUEST_TIMEOUT": "60", "OAUTH_MAX_RETRIES": "0"}
    create_schema(found)
    return found


@pytest.fixture
def still(clock: MovedClock) -> MovedClock:
    """The same clock, which only a test moves from here on."""
    clock.stop()
    return clock


@pytest.fixture
async def here(settings: dict[str, str], still: MovedClock) -> AsyncIterator[Application]:
    """A worker."""
    async with open_application(settings, still) as opened:
        yield opened


@pytest.fixture
async def there(settings: dict[str, str], still: MovedClock) -> AsyncIterator[Application]:
    """Another, on the same store and at the same time."""
    async with open_application(settings, still) as opened:
        yield opened


# Many agents whose token expired call at the same moment, through two workers of a real gateway.


CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
PATIENCE = 120
"""Seconds that a caller waits for its answer; the machine may be busy with other things."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        refreshes: requests that the authorization server saw.
        statuses: how many callers got which status.
        workers: how many of them each worker answered, by its process id.
        bearers: how often the MCP server was shown each access token.
        seconds: how long each caller waited.
        refusals: what those were told who were not served.
    """

    backend: str
    refreshes: int
    statuses: Counter[int]
    workers: Counter[str]
    bearers: dict[str, int]
    seconds: list[float]
    refusals: Counter[str]

    def row(self) -> str:
        cuts = statistics.quantiles(self.seconds, n=100)
        return (
            f"| {self.backend:<8} | {len(self.seconds):7} | {len(self.workers):7} | {self.refreshes:13} "
            f"| {self.statuses[200]:6} | {cuts[49]:6.2f} | {cuts[98]:6.2f} |"
        )


class _HoldingServer(RotatingServer):
    """A rotating server whose token endpoint answers once ``/open`` was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = asyncio.Event()
        self.after = self._hold

    async def _hold(self, _refresh_token: str) -> None:
        await self._gate.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/open":
            self._gate.set()
            scope = {**scope, "path": "/seen"}
        await super().__call__(scope, receive, send)


def _serve(pipe: Connection) -> None:
    with serve_asgi(_HoldingServer(), lifespan="off") as origin:
        pipe.send(origin)
        pipe.recv()


@contextlib.contextmanager
def _upstream() -> Iterator[str]:
    """Both servers in a process of their own, so that they do not slow down the callers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        assert ours.poll(PATIENCE), "the upstream process did not start"
        yield str(ours.recv())
        ours.send("over")
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()
        ours.close()


async def call_at_once(
    backend: GatewayBackend, folder: Path, *, callers: int = 1000, workers: int = 2, executable: str | None = None
) -> Outcome:
    """Let them all call through a gateway on ``backend``, whose store is empty.

    ``executable`` is as in ``start_latchpin``.
    """
    most = {"PROXY_MAX_EXCHANGES": "100000", "PROXY_MAX_EXCHANGES_PER_USER": "100000", "LOG_LEVEL": "INFO"}
    most["OAUTH_REQUEST_TIMEOUT"] = str(PATIENCE)  # the answer is held until the last caller has asked
    served = deploy_gateway(backend, folder, "serve", "--workers", str(workers), executable=executable, **most)
    with _upstream() as origin, served as deployed:
        deployed.process.wait_for_output("Application startup complete", times=workers)  # or one would serve them all
        async with open_application(settings_of(backend) | {"BASE_URL": deployed.url}) as application:
            gateway = await add_gateway(application, origin)
            await put_token(application, gateway, ALICE, refresh_token="alice.0")
        results = await _call(deployed, f"{deployed.url}/gateways/{gateway.id}/mcp", f"{origin}/open", callers, workers)
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            seen = (await client.get(f"{origin}/seen")).json()
        # A worker writes its line a moment after it answered: the last lines are waited for.
        deployed.process.wait_for_output(f"POST /gateways/{gateway.id}/mcp ", times=callers)
        lines = re.findall(
            rf"(\d+) latchpin\.access INFO - \S+ POST /gateways/{gateway.id}/mcp 200 ", deployed.process.output
        )
    return Outcome(
        backend.name,
        seen["refreshes"],
        Counter(result.status for result in results),
        Counter(lines),
        seen["bearers"],
        [result.seconds for result in results],
        Counter(result.body for result in results if result.status != HTTPStatus.OK),
    )


@dataclass(frozen=True)
class _Result:
    status: int
    seconds: float
    body: str


async def _call(deployed: DeployedGateway, url: str, gate: str, callers: int, workers: int) -> list[_Result]:
    headers = JSON | {"Authorization": f"Bearer {deployed.bearer(ALICE)}"}
    sent, everybody = 0, asyncio.Event()

    async def count(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
        nonlocal sent
        sent += 1
        if sent == callers:
            everybody.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(count)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)

    async def one(client: aiohttp.ClientSession) -> _Result:
        began = time.perf_counter()
        async with client.post(url, data=CALL, headers=headers) as answer:
            body = await answer.text()
            return _Result(answer.status, time.perf_counter() - began, body)

    async with contextlib.AsyncExitStack() as stack:

        def client() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), trace_configs=[trace], timeout=timeout
            )

        others = await stack.enter_async_context(client())
        opener = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        known = await _one_at_each(deployed, client, workers, stack)
        clients = [*known, *[others] * (callers - workers)]
        calls = [asyncio.create_task(one(each)) for each in clients]
        async with asyncio.timeout(PATIENCE):
            await everybody.wait()
        async with opener.get(gate):
            return await asyncio.gather(*calls)


async def _one_at_each(
    deployed: DeployedGateway,
    client: Callable[[], aiohttp.ClientSession],
    workers: int,
    stack: contextlib.AsyncExitStack,
) -> list[aiohttp.ClientSession]:
    """Clients with an open connection, one to each worker: which worker takes a connection is the system's choice."""
    found: dict[str, aiohttp.ClientSession] = {}
    async with asyncio.timeout(PATIENCE):
        while len(found) < workers:
            session = client()
            async with session.get(f"{deployed.url}/ready") as answer:
                instance = (await answer.json())["instance"]
            if instance in found:
                await session.close()
                continue
            found[instance] = await stack.enter_async_context(session)
    return list(found.values())
