"""One gateway process with the one endpoint, for all tests of a file, and real servers of each era behind it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import httpx2
import pytest
from latchpin_demo.loopback import bind, url_of
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp_types import Completion, CompletionArgument, CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel, Field

from tests.api_keys.conftest import HEADER, KEY
from tests.api_keys.keyed_server import start_keyed
from tests.providers import start_demo_provider, start_fault_switch
from tests.providers.clients import Age
from tests.providers.faults import read_ahead
from tests.providers.identity_provider import KeyBound, bind_tokens
from tests.proxy.conftest import open_fastmcp_server, read, reply, start_scripted
from tests.servers import GatewayBackend, serve_asgi
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway

NEEDS = (
    "latchpin_aggregator",
    "latchpin_authorization_server",
    "latchpin_connect",
    "latchpin_dcr",
    "latchpin_memory_store",
    "latchpin_proxy",
)

Era = Literal["modern", "sessions"]
ERAS: tuple[Era, ...] = ("modern", "sessions")
AGES: tuple[Age, ...] = ("2026-07-28", "legacy")
"""What a client speaks."""


App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Backstage:
    """What happened at a server.

    Attributes:
        era: how it speaks now.
        forgets: it does not know the sessions any more that it has begun; new ones are fine.
        methods: of the messages that came, in order, each with the id of its session.
        cancelled: set when a tool is cancelled.
        begun: set when the patient tool runs.
    """

    era: Era = "modern"
    forgets: bool = False
    methods: list[tuple[str, str]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def count(self, method: str) -> int:
        return sum(each == method for each, _ in self.methods)


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    backstage: Backstage

    def turn(self, era: Era) -> None:
        """Speak otherwise from now on."""
        self.backstage.era = era


class Sure(BaseModel):
    sure: bool


def build_server(backstage: Backstage) -> MCPServer[None]:
    server: MCPServer[None] = MCPServer("inner", log_level="WARNING")
    add_tools(server, backstage)

    @server.tool()
    async def fail() -> str:
        """Never works."""
        raise ValueError("it broke")

    add_more(server)
    return server


def add_tools(server: MCPServer[None], backstage: Backstage) -> None:
    """What each of these servers can do: answer, report its progress, and be cancelled."""

    @server.tool()
    async def shout(text: str) -> str:
        """Make it loud."""
        return text.upper() + "!"

    @server.tool()
    async def climb(steps: int, ctx: Context) -> str:
        """Report each step."""
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps, f"step {step}")
            await ctx.info(f"at {step}")
        return f"{steps} steps"

    @server.tool()
    async def wait(ctx: Context) -> str:
        """Wait for ever."""
        await ctx.report_progress(0, 1, "waiting")
        backstage.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            backstage.cancelled.set()
            raise
        return ""


def add_more(server: MCPServer[None]) -> None:
    @server.tool()
    async def confirm(ctx: Context) -> str:
        """Ask the person."""
        answer = await ctx.elicit("Sure?", Sure)
        return f"{answer.action}: {answer.data.sure if answer.action == 'accept' else None}"

    @server.tool()
    async def place(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        """An argument of it is repeated in a header field."""
        return region

    @server.completion()
    async def complete(_ref: Any, argument: CompletionArgument, _context: Any) -> Completion:
        return Completion(values=[f"{argument.value}!"])

    @server.prompt()
    def greet(name: str) -> str:
        """Say hello."""
        return f"Greet {name}"

    @server.resource("note://one")
    def one() -> str:
        """A note."""
        return "the first note"

    @server.resource("note://by/{name}")
    def by(name: str) -> str:
        """Somebody's note."""
        return f"a note by {name}"


def of_one_era(app: App, backstage: Backstage) -> App:
    """``app`` as a server that speaks in one way only, as real ones do; it notes what comes."""

    async def serve(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        body, again = await read_ahead(receive)
        if scope["method"] == "POST":
            backstage.methods.append((json.loads(body).get("method", ""), headers.get(b"mcp-session-id", b"").decode()))
        if backstage.forgets and b"mcp-session-id" in headers:
            backstage.forgets = False
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        if (headers.get(b"mcp-protocol-version") == MODERN.encode()) != (backstage.era == "modern"):
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "Unsupported protocol version"}}
            await send(
                {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": json.dumps(error).encode()})
            return
        await app(scope, again, send)

    return serve


@contextlib.contextmanager
def start_server(era: Era, *, json_response: bool = False) -> Iterator[Server]:
    backstage = Backstage(era)
    app = build_server(backstage).streamable_http_app(json_response=json_response)
    with bind() as listener, serve_asgi(of_one_era(app, backstage), sock=listener):
        yield Server(f"{url_of(listener)}/mcp", backstage)


def start_gateway(folder: Path, **settings: str) -> AbstractContextManager[DeployedGateway]:
    environment = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    return deploy_gateway(GatewayBackend("memory", environment, shared=False, label="memory"), folder, **settings)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    with start_gateway(Path(tmp_path_factory.mktemp("gateway"))) as started:
        yield started


@pytest.fixture(scope="module")
def modern() -> Iterator[Server]:
    with start_server("modern") as server:
        yield server


@pytest.fixture(scope="module")
def sessions() -> Iterator[Server]:
    with start_server("sessions") as server:
        yield server


@pytest.fixture
async def alice(deployed: DeployedGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with deployed.api(ALICE) as client:
        yield client


async def write_set(deployed: DeployedGateway, slug: str, **body: Any) -> None:
    """Make a set, or change it."""
    async with deployed.api() as admin:
        answer = await admin.put(f"/sets/{slug}", json=body)
        if answer.status_code == 404:
            answer = await admin.post("/sets", json={"slug": slug, **body})
    assert answer.is_success, answer.text


@contextlib.asynccontextmanager
async def connected(
    deployed: DeployedGateway, age: Age, *, email: str = ALICE, path: str = "/mcp", **more: Any
) -> AsyncIterator[Client]:
    """The official client at the one endpoint, or at a set's."""
    headers = {"Authorization": f"Bearer {deployed.bearer(email)}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(f"{deployed.url}{path}", http_client=http), mode=age, **more) as client,
    ):
        yield client


# A program of a few lines that speaks either era to the one endpoint, and shows what came back.


VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
MODERN, SESSIONS = "2026-07-28", "2025-11-25"
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Program:
    """Speaks to ``url``.

    Attributes:
        capabilities: what it declares.
        session: the session it is in.
        last: the last HTTP answer.
    """

    http: httpx.AsyncClient
    url: str
    era: Era = "modern"
    capabilities: dict[str, Any] = field(default_factory=dict)
    session: str = ""
    last: httpx.Response | None = None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The JSON-RPC answer to a request."""
        if self.era == "sessions" and not self.session and method != "initialize":
            await self.begin()
        message, headers = self.message(method, **params)
        answer = await self.send(message, headers)
        return last_message(answer)

    async def begin(self) -> dict[str, Any]:
        """Begin a session."""
        told = await self.ask(
            "initialize",
            protocolVersion=SESSIONS,
            capabilities=self.capabilities,
            clientInfo={"name": "program", "version": "1"},
        )
        assert self.last is not None
        self.session = self.last.headers["mcp-session-id"]
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, self.headers(""))
        return told

    def message(self, method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """A request and its header fields, to be changed by who wants to."""
        name = params.get(_NAMED.get(method, ""))
        if self.era == "modern":
            params["_meta"] = {VERSION: MODERN, CAPABILITIES: self.capabilities} | params.get("_meta", {})
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        return message, self.headers(method, name)

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if self.era == "modern":
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            return headers | ({} if name is None else {"mcp-name": name})
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": SESSIONS}
        return headers

    async def send(self, message: object, headers: dict[str, str]) -> httpx.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.last = await self.http.post(self.url, content=content, headers=headers)
        return self.last

    async def tools(self) -> dict[str, dict[str, Any]]:
        """The tools, by name."""
        result = (await self.ask("tools/list"))["result"]
        return {tool["name"]: tool for tool in result["tools"]}

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a call."""
        return await self.ask("tools/call", name=name, arguments=arguments)


def last_message(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer in an HTTP answer."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        data = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
        found: dict[str, Any] = json.loads(data[-1])
        return found
    value: dict[str, Any] = answer.json()
    return value


def text_in(answer: dict[str, Any]) -> str:
    """What a tool says."""
    return "".join(part["text"] for part in answer["result"]["content"])


MANY = 25
PROTECTED = frozenset({"protected", "bound"})
"""The slugs of those that want an authorization; each has the tool ``who_am_i``."""
KEYED = "keyed"
"""The slug of the one that wants an API key; it has the tool ``say``."""
WAITING = PROTECTED | {KEYED}
BROKEN = frozenset({"silent", "dead", "refusing", "unwilling"})


@dataclass(frozen=True)
class Group:
    """Twenty-five real servers in the process of the tests, of all kinds that stand behind one endpoint.

    Official SDK servers as they are, which speak both eras, and such as speak one; FastMCP's where it is installed;
    servers that want their person's authorization, one of them with tokens bound to a key; one that wants an API key;
    one that is silent, one dead, one that refuses everybody with 401, one with 403.

    Attributes:
        places: the URL of each, by slug.
        open: the slugs of those that serve everybody; each has the tool ``shout``.
        official: what happened at the official servers.
        alike: the servers of one era, by slug.
        keys: what was proven at the server with bound tokens.
    """

    places: dict[str, str]
    open: list[str]
    official: Backstage
    alike: dict[str, Server]
    keys: KeyBound

    async def add_to(self, deployed: DeployedGateway) -> dict[str, str]:
        """Make a gateway for each, and give their ids by slug."""
        return {slug: await deployed.add(url, name=slug, **_auth(slug)) for slug, url in self.places.items()}


def _auth(slug: str) -> dict[str, Any]:
    if slug == KEYED:
        return {"auth_type": "api_key", "api_key": {"header": HEADER}}
    return {} if slug in PROTECTED else {"auth_type": "none"}


# -- an official server, with all that a tool can do ---------------------------------------------------------------


def ask_person() -> Elicit[Sure]:
    return Elicit("Sure?", Sure)


def ask_model() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text="One word"))], max_tokens=5)


def ask_roots() -> ListRoots:
    return ListRoots()


def build_official(backstage: Backstage) -> MCPServer[None]:
    server: MCPServer[None] = MCPServer("official", log_level="WARNING")
    add_tools(server, backstage)

    @server.tool()
    async def confirm(sure: Annotated[Sure, Resolve(ask_person)]) -> str:
        """Ask the person."""
        return f"sure: {sure.sure}"

    @server.tool()
    async def think(said: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
        """Ask the client's model."""
        return f"it says {getattr(said.content, 'text', '')}"

    @server.tool()
    async def look(found: Annotated[ListRootsResult, Resolve(ask_roots)]) -> str:
        """Ask for the client's folders."""
        return f"in {', '.join(str(root.uri) for root in found.roots)}"

    return server


@contextlib.contextmanager
def _start_official(backstage: Backstage) -> Iterator[str]:
    with bind() as listener, serve_asgi(build_official(backstage).streamable_http_app(), sock=listener):
        yield f"{url_of(listener)}/mcp"


def _answering(status: int) -> Any:
    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await reply(send, status, [("content-type", "text/plain")], b"no")

    return answer


@contextlib.contextmanager
def start_group() -> Iterator[Group]:
    """Serve them all."""
    official = Backstage()
    with contextlib.ExitStack() as stack:
        fast = 2 if importlib.util.find_spec("fastmcp") else 0
        places = {f"fast-{number}": stack.enter_context(open_fastmcp_server()) for number in range(fast)}
        alike = {f"{era}-{number}": stack.enter_context(start_server(era)) for era in ERAS for number in range(6)}
        places |= {slug: server.url for slug, server in alike.items()}
        left = MANY - len(places) - len(BROKEN) - len(WAITING)
        places |= {f"official-{number}": stack.enter_context(_start_official(official)) for number in range(left)}
        open_to_all = sorted(places)
        places["protected"] = stack.enter_context(start_demo_provider()).mcp_url
        switch = stack.enter_context(start_fault_switch())
        places["bound"] = switch.provider.mcp_url
        places[KEYED] = stack.enter_context(start_keyed((HEADER.lower(), KEY))).url
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        places["silent"] = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        places["dead"] = "http://127.0.0.1:1/mcp"
        places["refusing"] = stack.enter_context(start_scripted(_answering(403))).url
        places["unwilling"] = stack.enter_context(start_scripted(_answering(401))).url
        assert len(places) == MANY
        yield Group(places, open_to_all, official, alike, bind_tokens(switch))
