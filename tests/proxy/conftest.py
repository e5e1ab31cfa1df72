"""One gateway process with the MCP endpoint, for all tests of a file; each test adds its own gateways to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from latchpin_demo.loopback import bind, url_of
from mcp.server.mcpserver import MCPServer
from starlette.types import Receive, Scope, Send

from tests.servers import GatewayBackend, serve_asgi
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway

NEEDS = ("latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")


def start_proxy(folder: Path, **settings: str) -> AbstractContextManager[DeployedGateway]:
    """Serve a gateway with the endpoint; ``settings`` come on top."""
    environment = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    memory = GatewayBackend("memory", environment, shared=False, label="memory")
    return deploy_gateway(memory, folder, PROXY_HELD_BYTES="65536", PROXY_MAX_REQUEST_BYTES="50000000", **settings)


async def open_endpoint(proxy: DeployedGateway, scripted: ScriptedServer) -> str:
    """The endpoint of a gateway without OAuth before the scripted server."""
    return f"{proxy.url}/gateways/{await proxy.add(scripted.url, auth_type='none')}/mcp"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_proxy(Path(tmp_path_factory.mktemp("gateway"))) as deployed:
        yield deployed


@pytest.fixture
async def opened(proxy: DeployedGateway, scripted: ScriptedServer) -> str:
    return await open_endpoint(proxy, scripted)


@pytest.fixture
async def alice(proxy: DeployedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's program."""
    async with proxy.api(ALICE) as client:
        yield client


# An upstream that does what a test says, and remembers what arrived; also a token endpoint for its gateway.


Script = Callable[[Scope, Receive, Send], Awaitable[None]]
Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request. Header names are lower case."""

    method: str
    query: str
    headers: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]


@dataclass
class ScriptedServer:
    """``script`` answers every request but those to ``/token``."""

    origin: str
    script: Script
    arrived: list[Arrived] = field(default_factory=list)
    tokens_issued: int = 0

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/token":
            await read(receive)
            self.tokens_issued += 1
            token = {"access_token": f"issued-{self.tokens_issued}", "token_type": "Bearer", "expires_in": 3600}
            await reply(send, 200, [("content-type", "application/json")], json.dumps(token).encode())
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.arrived.append(Arrived(scope["method"], scope["query_string"].decode(), headers))
        await self.script(scope, receive, send)


async def read(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(pieces)


async def reply(send: Send, status: int, headers: Fields, body: bytes) -> None:
    await begin(send, status, [*headers, ("content-length", str(len(body)))])
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, status: int, headers: Fields) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def tell_hash(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the hash of the body, never holding it."""
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    await reply(send, 200, [("content-type", "text/plain")], digest.hexdigest().encode())


@contextlib.contextmanager
def start_scripted(script: Script = tell_hash) -> Iterator[ScriptedServer]:
    with bind() as listener:
        server = ScriptedServer(url_of(listener), script)
        with serve_asgi(server, lifespan="off", sock=listener):
            yield server


# MCP servers of the official SDK and of fastmcp that want no token, with one tool each.


def shout(text: str) -> str:
    """Make it loud."""
    return text.upper() + "!"


@contextlib.contextmanager
def open_sdk_server(*, stateless: bool = False, json: bool = False) -> Iterator[str]:
    server: MCPServer[None] = MCPServer("open", log_level="WARNING")
    server.tool()(shout)
    with bind() as listener:
        app = server.streamable_http_app(stateless_http=stateless, json_response=json)
        with serve_asgi(app, sock=listener):
            yield f"{url_of(listener)}/mcp"


@contextlib.contextmanager
def open_fastmcp_server() -> Iterator[str]:
    from fastmcp import FastMCP  # not in every run

    server: FastMCP[None] = FastMCP("open")
    server.tool(shout)
    with bind() as listener, serve_asgi(server.http_app(path="/mcp"), sock=listener):
        yield f"{url_of(listener)}/mcp"
