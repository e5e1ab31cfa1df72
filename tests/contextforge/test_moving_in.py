"""Everything that a real ContextForge 1.1.0 has kept is taken over, and its users go on without consenting again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from latchpin_demo.browser import Browser
from latchpin_demo.loopback import bind, url_of
from mcp.server.mcpserver import MCPServer
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.providers import FaultSwitch, PlainClient, sign_in, start_fault_switch
from tests.providers.faults import status
from tests.servers import GatewayBackend, PostgresServer, Reservation, run_latchpin, serve_asgi
from tests.servers.contextforge import PASSWORD, SECRET, ContextForge, serve_contextforge
from tests.support.gateway_process import ALICE, BOB, DeployedGateway, create_schema, deploy_gateway, settings_of

NEEDS = ("latchpin_adopt_contextforge", "latchpin_proxy", "latchpin_sql_store")
KEY = "the-key-of-all-of-them"
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
CALL_KEYED = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whose","arguments":{}}}'
THREE = '"structuredContent":{"result":3.0}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Moved:
    """A ContextForge that was used, and stopped.

    Attributes:
        url: its DATABASE_URL.
        base: what browsers reached it at, and reach Latchpin at from now on.
        provider: the servers that its gateways lead to.
        gateways: the ids of its gateways, by name.
        keys: what the server that takes a key was shown.
    """

    url: str
    base: str
    provider: FaultSwitch
    gateways: Mapping[str, str]
    keys: set[str]


@pytest.fixture(scope="module")
def provider() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with Reservation() as reservation:
        yield f"http://127.0.0.1:{reservation.port}"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def source_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('contextforge')}/mcp.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


@contextlib.contextmanager
def serve_keyed() -> Iterator[tuple[str, set[str]]]:
    """An MCP server that refuses who shows no key: its URL, and the keys that it was shown."""
    server: MCPServer[None] = MCPServer("keyed", log_level="WARNING")
    server.tool()(whose)
    app, shown = server.streamable_http_app(stateless_http=True), set[str]()

    async def keyed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = dict(scope["headers"]).get(b"authorization", b"").decode()
            if not key:
                await PlainTextResponse("no key", 401)(scope, receive, send)
                return
            shown.add(key)
        await app(scope, receive, send)

    with bind() as listener, serve_asgi(keyed, sock=listener):
        yield f"{url_of(listener)}/mcp", shown


def whose() -> str:
    """Say whose this is."""
    return "mine"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def moved(
    source_url: str, base: str, provider: FaultSwitch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Moved]:
    """Two people have authorized two gateways of it; others need no authorization, or cannot be taken over."""
    driver = source_url.replace("postgresql://", "postgresql+psycopg://")
    folder = tmp_path_factory.mktemp("served")
    with serve_keyed() as (keyed, keys):
        with serve_contextforge(folder, DATABASE_URL=driver) as contextforge:
            gateways = await fill(contextforge, base, provider, keyed)
            for email in (ALICE, BOB):
                await authorize(contextforge, base, gateways["registered"], email)
            await authorize(contextforge, base, gateways["entered"], ALICE)
        yield Moved(source_url, base, provider, gateways, keys)


async def fill(contextforge: ContextForge, base: str, provider: FaultSwitch, keyed: str) -> dict[str, str]:
    config = {"grant_type": "authorization_code", "issuer": provider.accounts.issuer, "scopes": ["mcp:read"]}
    config |= {"redirect_uri": f"{base}/oauth/callback", "resource": provider.provider.mcp_url}
    oauth = {"auth_type": "oauth", "oauth_config": config}
    entered = oauth | {"oauth_config": config | await entered_client(base, provider)}
    url = provider.provider.mcp_url
    with contextforge.client() as client:
        for email in (ALICE, BOB):
            person = {"email": email, "password": PASSWORD, "full_name": email}
            client.post("/auth/email/admin/users", json=person).raise_for_status()
        return {
            "registered": enter(client, "registered", url, **oauth),
            "entered": enter(client, "entered", url, **entered),
            "private": enter(client, "private", url, **oauth, visibility="private"),
            "events": enter(client, "events", url, **oauth, transport="SSE"),
            "keyed": enter(client, "keyed", keyed, auth_type="bearer", auth_token=KEY),
        }


def enter(client: httpx.Client, name: str, url: str, **more: Any) -> str:
    """Enter a gateway; ContextForge wants another URL for each."""
    body = {"name": name, "url": f"{url}?{name}", "transport": "STREAMABLEHTTP", "visibility": "public"} | more
    answer = client.post("/gateways", json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def entered_client(base: str, provider: FaultSwitch) -> dict[str, str]:
    """A client that an administrator registered by hand."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        plain = PlainClient(http, provider.provider.mcp_url)
        await plain.discover()
        wishes = {"redirect_uris": [f"{base}/oauth/callback"]}
        (await plain.register("client_secret_post", **wishes)).raise_for_status()
    return {name: plain.client[name] for name in ("client_id", "client_secret")}


async def authorize(contextforge: ContextForge, base: str, gateway: str, email: str) -> None:
    """Somebody authorizes a gateway of ContextForge, whose address their browser knows as Latchpin's."""
    with contextforge.client(email) as client:
        begun = client.get(f"/oauth/authorize/{gateway}")
        assert begun.status_code == 307, begun.text
        async with Browser() as browser:
            await browser.open(begun.headers["location"])
            page = await sign_in(browser, user=email, follow=False)
        back = urlsplit(page.headers["location"])
        assert f"{back.scheme}://{back.netloc}" == base
        ended = client.get(f"{back.path}?{back.query}")
        assert "OAuth Authorization Successful" in ended.text, ended.text


@pytest.fixture
def latchpin(sqlite_url: str) -> GatewayBackend:
    settings = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": sqlite_url}
    return GatewayBackend("sqlite", settings, shared=True, label="database")


def adopt(moved: Moved, latchpin: GatewayBackend, folder: Path, *more: str) -> dict[str, Any]:
    env = {**settings_of(latchpin), "BASE_URL": moved.base, "SOURCE": moved.url, "THEIRS": SECRET}
    create_schema(env)
    done = run_latchpin(
        "adopt", "contextforge", "env:SOURCE", "--secret", "env:THEIRS", "--json", *more, env=env, cwd=folder
    )
    assert done.returncode in {0, 3}, done.stderr
    assert SECRET not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def outcomes(report: Mapping[str, Any]) -> dict[tuple[str, str, str], str]:
    return {(row["kind"], row["gateway"], row["whose"]): row["outcome"] for row in report["rows"]}


async def call(deployed: DeployedGateway, gateway: str, email: str, message: bytes = CALL) -> str:
    async with deployed.api(email) as client:
        answer = await client.post(f"/gateways/{gateway}/mcp", content=message, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.asyncio(loop_scope="module")
async def test_whoever_was_connected_there_is_connected_here(moved: Moved, latchpin: GatewayBackend, tmp_path: Path):
    tried = adopt(moved, latchpin, tmp_path)
    assert not tried["written"]
    done = adopt(moved, latchpin, tmp_path, "--write")
    assert done["written"]
    assert done["rows"] == tried["rows"]
    issuer = moved.provider.accounts.issuer
    taken = {
        *(("gateway", name, "") for name in ("registered", "entered", "private", "keyed")),
        ("client", "registered", issuer),
        *(("token", "registered", email) for email in (ALICE, BOB)),
        ("token", "entered", ALICE),
        ("key", "keyed", ""),
    }
    left = {("gateway", "events", "")}
    assert outcomes(done) == dict.fromkeys(taken, "new") | dict.fromkeys(left, "left out")
    again = adopt(moved, latchpin, tmp_path, "--write")
    assert outcomes(again) == dict.fromkeys(taken, "there") | dict.fromkeys(left, "left out")
    moved.provider.forget()
    with deploy_gateway(latchpin, tmp_path, PORT=moved.base.rpartition(":")[2]) as deployed:
        await check_calls(deployed, moved)
        await check_refreshes(deployed, moved)
        await check_new_authorizations(deployed, moved)


async def check_calls(deployed: DeployedGateway, moved: Moved) -> None:
    for name, email in (("registered", ALICE), ("registered", BOB), ("entered", ALICE)):
        assert THREE in await call(deployed, moved.gateways[name], email)
    assert moved.provider.asked("token") == [], "the tokens that ContextForge got serve"
    assert "mine" in await call(deployed, moved.gateways["keyed"], BOB, CALL_KEYED)
    assert moved.keys == {f"Bearer {KEY}"}
    async with deployed.api(BOB) as client:
        answer = await client.get(f"/gateways/{moved.gateways['private']}")
    assert answer.status_code == 404, "what was the administrator's alone there is nobody else's here"


async def check_refreshes(deployed: DeployedGateway, moved: Moved) -> None:
    for name, method in (("registered", "client_secret_basic"), ("entered", "client_secret_post")):
        moved.provider.forget()
        moved.provider.arm("mcp", status(401, www_authenticate="Bearer"), times=1)
        assert THREE in await call(deployed, moved.gateways[name], ALICE)
        (asked,) = moved.provider.asked("token")
        assert asked.form["grant_type"] == "refresh_token"
        assert asked.form["resource"] == moved.provider.provider.mcp_url
        assert ("authorization" in asked.headers) == (method == "client_secret_basic")


async def check_new_authorizations(deployed: DeployedGateway, moved: Moved) -> None:
    """Who authorizes now does so with the clients that were taken over."""
    moved.provider.forget()
    for name in ("registered", "entered"):
        async with deployed.browser(BOB) as browser:
            await deployed.authorize(browser, moved.gateways[name], user=BOB)
        assert THREE in await call(deployed, moved.gateways[name], BOB)
    assert moved.provider.asked("register") == []
    assert THREE in await call(deployed, moved.gateways["registered"], ALICE)
