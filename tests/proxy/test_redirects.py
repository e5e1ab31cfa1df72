"""The endpoint, Fetch Tools and discovery follow a server that sends to another of its URLs, within its origin."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from latchpin.outbound.redirects import explain_redirect, follow_redirect

from tests.proxy.conftest import ScriptedServer, read, reply
from tests.support.gateway_process import DeployedGateway

HERE = "https://mcp.example.com/mcp"
FOLLOWED = [
    # method, status, Location, where the same request goes next
    ("POST", 307, "/mcp/", "https://mcp.example.com/mcp/"),
    ("POST", 308, "https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/"),
    ("POST", 307, "https://MCP.example.com:443/mcp/", "https://MCP.example.com:443/mcp/"),
    ("POST", 307, "//mcp.example.com/mcp/#part", "https://mcp.example.com/mcp/"),
    ("POST", 307, "mcp/?key=1", "https://mcp.example.com/mcp/?key=1"),
    ("DELETE", 308, "/v2/mcp", "https://mcp.example.com/v2/mcp"),
    ("GET", 301, "/mcp/", "https://mcp.example.com/mcp/"),
    ("GET", 303, "/mcp/", "https://mcp.example.com/mcp/"),
]
NOT_FOLLOWED = [
    # method, status, Location, why
    ("POST", 301, "/mcp/", "clients make a GET of it"),
    ("POST", 302, "/mcp/", "clients make a GET of it"),
    ("POST", 303, "/mcp/", "it asks for a GET"),
    ("GET", 300, "/mcp/", "a choice"),
    ("POST", 307, "http://mcp.example.com/mcp/", "a weaker scheme"),
    ("POST", 307, "https://mcp.example.com:8443/mcp/", "another port"),
    ("POST", 307, "https://mcp.example.com.evil.example/mcp/", "another host"),
    ("POST", 307, "//evil.example/mcp/", "another host"),
    ("POST", 307, "https://mcp.example.com@evil.example/mcp", "another host, and a user name"),
    ("POST", 307, "https://user@mcp.example.com/mcp/", "a user name"),
    ("POST", 307, "https:\\\\evil.example\\mcp", "browsers read it as another host"),
    ("POST", 307, "javascript:alert(1)", "no URL of ours"),
    ("POST", 307, "https://[::1", "no URL"),
    ("POST", 307, "", "no Location"),
    ("POST", 307, None, "no Location"),
    ("POST", 304, "/mcp/", "no redirect"),
    ("POST", 200, "/mcp/", "no redirect"),
]


@pytest.mark.parametrize(("method", "status", "location", "target"), FOLLOWED)
def test_what_is_followed(method: str, status: int, location: str, target: str):
    assert follow_redirect(method, HERE, status, location) == target


@pytest.mark.parametrize(("method", "status", "location", "why"), NOT_FOLLOWED)
def test_what_is_not_followed(method: str, status: int, location: str | None, why: str):
    assert follow_redirect(method, HERE, status, location) is None, why


def test_what_is_not_followed_is_named_without_its_query():
    error = explain_redirect("mcp.example.com", HERE, 307, "https://other.example/mcp/?token=secret")
    assert "'https://other.example/mcp/', which is not followed" in error.detail
    assert "enters it as the gateway's URL" in error.remedy
    assert "https://other.example/mcp/" in error.remedy
    assert "secret" not in error.detail + error.remedy


LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'
TOOLS = {
    "resultType": "complete",
    "ttlMs": 0,
    "cacheScope": "private",
    "tools": [{"name": "a", "inputSchema": {"type": "object"}}],
}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def moves(scripted: ScriptedServer, location: str, status: int = 307, *, times: int = 1_000):
    """A server at /mcp/ that /mcp sends to."""
    left = times

    async def script(scope: Any, receive: Any, send: Any) -> None:
        nonlocal left
        body = await read(receive)
        if not scope["path"].endswith("/") and left:
            left -= 1
            await reply(send, status, [("location", location)], b"")
            return
        asked = json.loads(body or b"{}")
        if "id" not in asked:
            await reply(send, 202, [], b"")
            return
        found = {"tools/list": TOOLS, "initialize": HELLO}.get(asked["method"])
        answer = {"result": found} if found else {"error": {"code": -32601, "message": "no"}}
        whole = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer})
        await reply(send, 200, [("content-type", "application/json")], whole.encode())

    scripted.script = script


async def call(alice: httpx.AsyncClient, gateway: str, content: bytes = LIST) -> httpx.Response:
    return await alice.post(f"/gateways/{gateway}/mcp", content=content, headers=JSON)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("location", ["/mcp/", "{origin}/mcp/"])
async def test_a_slash_at_the_end_stops_nobody(
    proxy: DeployedGateway, alice, scripted: ScriptedServer, status: int, location: str
):
    moves(scripted, location.format(origin=scripted.origin), status)
    gateway = await proxy.add(scripted.url, auth_type="none")
    fetched = await alice.post(f"/oauth/fetch-tools/{gateway}")
    assert fetched.status_code == 200, fetched.text
    called = await call(alice, gateway)
    assert called.status_code == 200, called.text
    assert called.json()["result"]["tools"] == fetched.json()["tools"] == TOOLS["tools"]


async def test_the_token_goes_along(proxy: DeployedGateway, alice: httpx.AsyncClient, scripted: ScriptedServer):
    moves(scripted, "/mcp/")
    config = {
        "grant_type": "client_credentials",
        "client_id": "latchpin",
        "client_secret": "a secret",
        "token_url": f"{scripted.origin}/token",
    }
    gateway = await proxy.add(scripted.url, auth_type="oauth", oauth_config=config)
    assert (await call(alice, gateway)).status_code == 200
    assert [arrived.all("authorization") for arrived in scripted.arrived] == [["Bearer issued-1"]] * 2


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/mcp/", "https://elsewhere.example/mcp/"])
async def test_another_origin_gets_nothing_and_is_named_by_all(proxy: DeployedGateway, alice, scripted, location: str):
    moves(scripted, f"{location}?token=secret")
    gateway = await proxy.add(scripted.url, auth_type="none")
    fetched, called = await alice.post(f"/oauth/fetch-tools/{gateway}"), await call(alice, gateway)
    for answer in (fetched, called):
        assert answer.status_code == 502
        assert location in answer.json()["detail"]
        assert location in answer.json()["remedy"]
        assert "secret" not in answer.text
    assert "location" not in called.headers


async def test_a_circle_ends(proxy: DeployedGateway, alice: httpx.AsyncClient, scripted: ScriptedServer):
    moves(scripted, "/mcp")
    gateway = await proxy.add(scripted.url, auth_type="none")
    assert (await call(alice, gateway)).status_code == 502
    assert len(scripted.arrived) == 5


async def test_a_large_body_is_to_be_sent_again_and_then_goes_there(
    proxy: DeployedGateway, alice, scripted: ScriptedServer
):
    moves(scripted, "/mcp/")
    gateway = await proxy.add(scripted.url, auth_type="none")
    large = LIST + b" " * 200_000
    first = await call(alice, gateway, large)
    assert (first.status_code, first.json()["cause"]) == (503, "server-moved")
    assert first.headers["retry-after"] == "1"
    assert (await call(alice, gateway, large)).status_code == 200


async def test_a_server_that_moved_back_is_found_there(proxy: DeployedGateway, alice, scripted: ScriptedServer):
    moves(scripted, "/mcp/", times=1)
    gateway = await proxy.add(scripted.url, auth_type="none")
    assert (await call(alice, gateway)).status_code == 200
    assert (await call(alice, gateway)).status_code == 200
    assert (await call(alice, gateway, LIST + b" " * 200_000)).status_code == 200
    assert len(scripted.arrived) == 4


async def test_discovery_follows_and_says_so(
    proxy: DeployedGateway, alice: httpx.AsyncClient, scripted: ScriptedServer
):
    documents = {
        "/odd/prm.json": {"resource": f"{scripted.url}/", "authorization_servers": [scripted.origin]},
        "/.well-known/oauth-authorization-server": {
            "issuer": scripted.origin,
            "authorization_endpoint": f"{scripted.origin}/authorize",
            "token_endpoint": f"{scripted.origin}/token",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        },
    }

    async def script(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        if scope["path"] == "/mcp":
            await reply(send, 307, [("location", "/mcp/")], b"")
        elif scope["path"] == "/mcp/":
            challenge = f'Bearer resource_metadata="{scripted.origin}/odd/prm.json"'
            await reply(send, 401, [("www-authenticate", challenge)], b"")
        else:
            document = json.dumps(documents.get(scope["path"])).encode()
            await reply(send, 200 if document != b"null" else 404, [("content-type", "application/json")], document)

    scripted.script = script
    gateway = await proxy.add(scripted.url)
    async with proxy.api() as admin:
        found = (await admin.get(f"/gateways/{gateway}/discovery")).json()
    assert f"POST {scripted.url} (server/discover): HTTP 307, a redirect to '{scripted.url}/'" in found["steps"]
    assert found["challenge"]["asked_for_a_token"] is True
    assert found["issuer"]["value"] == scripted.origin
