"""The registry: what it lists for whom, page by page, in the form that its API and ``server.json`` have."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from latchpin.model import Caller
from latchpin_aggregator.sets.directory import open_sets
from latchpin_aggregator.sets.entry import parse_set_body
from latchpin_registry.entries import namespace_of

from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway, open_gateway

NEEDS = (
    "latchpin_aggregator",
    "latchpin_authorization_server",
    "latchpin_memory_store",
    "latchpin_proxy",
    "latchpin_registry",
)
BOB = "bob@example.com"
MCP = "http://127.0.0.1:1/mcp"
LIST = f"{BASE}/v0.1/servers"
OPERATOR = Caller(ADMIN, is_admin=True, via="test")


@pytest.fixture
async def alice(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.client(ALICE) as client:
        yield client


@pytest.fixture
async def open_to_all(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    environment.setenv("REGISTRY_PUBLIC", "true")
    async with open_gateway() as gateway:
        yield gateway


async def fill(gateway: InnerGateway) -> tuple[str, str]:
    """A gateway for everybody and one for Bob, and a set of both."""
    files = await gateway.add(MCP, name="Files")
    bobs = await gateway.add(MCP, name="Bob's", allowed_users=[BOB])
    body = parse_set_body({"slug": "dev", "name": "Development", "gateways": [files, bobs]})
    await (await open_sets(gateway.application)).create(body, OPERATOR)
    return files, bobs


def check_response(response: Any) -> None:
    """What the API's ``ServerResponse`` and ``server.json`` (2025-12-11) demand, and what VS Code reads."""
    assert set(response) == {"server", "_meta"}, "VS Code reads _meta whatever is in it"
    server, official = response["server"], response["_meta"]["io.modelcontextprotocol.registry/official"]
    assert set(server) <= {"$schema", "name", "title", "description", "version", "remotes"}
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"])
    assert 3 <= len(server["name"]) <= 200
    assert 1 <= len(server["title"]) <= 100
    assert 1 <= len(server["description"]) <= 100
    assert re.fullmatch(r"\d+\.\d+\.\d+", server["version"])
    assert server["$schema"].startswith("https://static.modelcontextprotocol.io/schemas/")
    for remote in server["remotes"]:
        assert set(remote) == {"type", "url"}
        assert remote["type"] == "streamable-http"
        assert re.fullmatch(r"https?://\S+", remote["url"])
    assert set(official) <= {"status", "statusMessage", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"}
    assert (official["status"], official["isLatest"]) == ("active", True)


def check_open(answer: httpx.Response) -> None:
    """What GitHub demands of each answer, so that its pages can read it."""
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"
    assert "access-control-allow-credentials" not in answer.headers


def urls(document: Any) -> list[str]:
    for each in document["servers"]:
        check_response(each)
    assert document["metadata"]["count"] == len(document["servers"])
    return [each["server"]["remotes"][0]["url"].removeprefix(BASE) for each in document["servers"]]


async def test_who_is_signed_in_gets_what_they_may_use(gateway: InnerGateway, alice: httpx.AsyncClient):
    files, bobs = await fill(gateway)
    answer = await alice.get(LIST)
    check_open(answer)
    assert urls(answer.json()) == [f"/gateways/{files}/mcp", "/mcp", "/mcp/dev"]
    assert "nextCursor" not in answer.json()["metadata"]
    names = {each["server"]["title"]: each["server"]["name"] for each in answer.json()["servers"]}
    assert names == {
        "All servers": "localhost/mcp",
        "Development": "localhost/mcp.dev",
        "Files": f"localhost/gateways.{files}.mcp",
    }
    async with gateway.client(BOB) as bob:
        assert len(urls((await bob.get(LIST)).json())) == 4
    hidden = await alice.get(f"{LIST}/localhost/gateways.{bobs}.mcp/versions/latest")
    unknown = await alice.get(f"{LIST}/localhost/gateways.{'0' * 32}.mcp/versions/latest")
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert hidden.json()["detail"] == unknown.json()["detail"]
    check_open(unknown)


@pytest.mark.parametrize("root", ["/v0.1/servers", "/v0/servers"])
async def test_an_entry_by_its_name(gateway: InnerGateway, alice: httpx.AsyncClient, root: str):
    await fill(gateway)
    listed = {each["server"]["name"]: each for each in (await alice.get(BASE + root)).json()["servers"]}
    for name, entry in listed.items():
        for path in (quote(name, safe=""), name):
            versions = f"{BASE}{root}/{path}/versions"
            assert (await alice.get(f"{versions}/latest")).json() == entry
            assert (await alice.get(f"{versions}/1.0.0")).json() == entry
            assert (await alice.get(versions)).json() == {"servers": [entry], "metadata": {"count": 1}}
            assert (await alice.get(f"{versions}/2.0.0")).status_code == 404


async def test_nobody_gets_anything_and_may_ask(gateway: InnerGateway):
    await fill(gateway)
    async with gateway.client(None) as nobody:
        for path in ("", "/localhost/mcp/versions", "/localhost/mcp/versions/latest"):
            answer = await nobody.get(LIST + path)
            assert answer.status_code == 401
            check_open(answer)
            asked = {"origin": "https://vscode.dev", "access-control-request-method": "GET"}
            preflight = await nobody.options(LIST + path, headers=asked)
            assert (preflight.status_code, preflight.content) == (204, b"")
            check_open(preflight)
        assert (await nobody.post(LIST)).status_code == 405


async def test_everybody_reads_names_and_urls_where_that_is_switched_on(open_to_all: InnerGateway):
    files, bobs = await fill(open_to_all)
    async with open_to_all.client(None) as nobody:
        answer = await nobody.get(LIST)
        check_open(answer)
        expected = sorted([f"/gateways/{files}/mcp", f"/gateways/{bobs}/mcp"])
        assert urls(answer.json()) == [*expected, "/mcp", "/mcp/dev"]
        for secret in (MCP, BOB, ADMIN, "allowed_users"):
            assert secret not in answer.text
        broken = await nobody.get(LIST, headers={"authorization": "Bearer x"})
        assert broken.json() == answer.json(), "nobody is asked"
        open_to_all.clock.stop()
        await nobody.get(LIST)
        await open_to_all.add(MCP, name="New")
        assert (await nobody.get(LIST)).json() == answer.json(), "strangers do not keep the store busy"
        open_to_all.clock.advance(seconds=1)
        assert len(urls((await nobody.get(LIST)).json())) == 5


async def test_vs_code_turns_the_pages(gateway: InnerGateway, alice: httpx.AsyncClient):
    for number in range(5):
        await gateway.add(MCP, name=f"Match {number}")
        await gateway.add(MCP, name=f"Other {number}")
    document = (await alice.get(f"{LIST}?limit=2&version=latest&search=mATCH")).json()
    found = urls(document)
    while (cursor := document["metadata"].get("nextCursor")) is not None:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor), "it is not encoded on its way back"
        document = (await alice.get(f"{LIST}?limit=2&version=latest&cursor={cursor}")).json()
        assert all("Match" in each["server"]["title"] for each in document["servers"]), "the search goes on"
        found += urls(document)
    assert len(set(found)) == len(found) == 5
    assert len(urls((await alice.get(f"{LIST}?limit=1000")).json())) == 11


async def test_what_was_changed_since(gateway: InnerGateway, alice: httpx.AsyncClient):
    gateway.clock.stop()
    await gateway.add(MCP, name="Old")
    gateway.clock.advance(hours=2)
    new = await gateway.add(MCP, name="New")
    since = (gateway.clock() - timedelta(hours=1)).isoformat()
    for text in (quote(since), since.replace("+00:00", "Z"), since):
        answer = await alice.get(f"{LIST}?updated_since={text}")
        assert urls(answer.json()) == [f"/gateways/{new}/mcp", "/mcp"], "nobody can say it of the one for all"
    assert urls((await alice.get(f"{LIST}?version=2.0.0")).json()) == []
    assert len(urls((await alice.get(f"{LIST}?version=1.0.0")).json())) == 3


DEEP = base64.urlsafe_b64encode(f'{{"search":{"[" * 700}{"]" * 700}}}'.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=e30x",
        "cursor=eyJhIjoxfQ",
        "cursor=WzFd",
        f"cursor={DEEP}",
        "limit=0",
        "limit=x",
        "updated_since=today",
        "updated_since=2026-01-01",
    ],
)
async def test_what_cannot_be_read_is_refused(gateway: InnerGateway, alice: httpx.AsyncClient, query: str):
    await fill(gateway)
    answer = await alice.get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert f" {query.partition('=')[0]}: " in answer.json()["detail"]
    check_open(answer)


async def test_long_and_strange_names_fit(gateway: InnerGateway, alice: httpx.AsyncClient):
    await gateway.add(MCP, name="Ünïcode & <b> " + "x" * 180)
    assert len(urls((await alice.get(LIST)).json())) == 2


@pytest.mark.parametrize(
    ("base_url", "namespace"),
    [
        ("https://gateway.example.com", "com.example.gateway"),
        ("https://example.com:8443/latchpin", "com.example"),
        ("http://localhost:4444", "localhost"),
        ("http://192.0.2.1", "192.0.2.1"),
        ("http://[2001:db8::1]:4444", "2001-db8--1"),
    ],
)
def test_the_namespace_is_the_domain_turned_round(base_url: str, namespace: str):
    assert namespace_of(base_url) == namespace
