"""Tools of the official SDK's server, in both ages of the protocol, with its own token check."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from latchpin.errors import AccessRefused
from latchpin.gateways.tools.sdk import list_tools
from latchpin.outbound.credential import Credential
from latchpin.outbound.upstream import HttpUpstream, open_upstream
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.servers import serve_asgi
from tests.support.http_servers import settings

TOKENS = {"good-token": ["mcp:read"], "narrow-token": ["other"]}


class Verifier:
    async def verify_token(self, token: str) -> AccessToken | None:
        scopes = TOKENS.get(token)
        return None if scopes is None else AccessToken(token=token, client_id="c", scopes=scopes)


def build_server(*, stateless: bool, json_response: bool) -> ASGIApp:
    auth = AuthSettings(
        issuer_url="https://as.example/tenant",
        resource_server_url="http://127.0.0.1/mcp",
        required_scopes=["mcp:read"],
        validate_token_resource=False,
    )
    server = MCPServer("protected", token_verifier=Verifier(), auth=auth)

    @server.tool(description="Adds two numbers.")
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool()
    def fail() -> str:
        raise ValueError("not today")

    return server.streamable_http_app(stateless_http=stateless, json_response=json_response)


class YearOf2025:
    """In front of a server, makes it one that never heard of server/discover."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.methods: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        message = await receive()
        method = json.loads(message["body"])["method"]
        self.methods.append(method)
        if method == "server/discover":
            await JSONResponse({"error": "Missing session ID"}, status_code=400)(scope, receive, send)
            return

        replayed = [message]

        async def replay() -> Any:
            return replayed.pop() if replayed else await receive()

        await self.app(scope, replay, send)


@pytest.fixture(scope="module", params=["stateless", "stateful", "stateless JSON", "2025 stateful", "2025 stateless"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    app = build_server(stateless="stateless" in request.param, json_response="JSON" in request.param)
    old = YearOf2025(app)
    with serve_asgi(old if "2025" in request.param else app) as url:
        yield f"{url}/mcp"
    assert ("initialize" in old.methods) == ("2025" in request.param)


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(settings()) as opened:
        yield opened


async def test_list(server: str, upstream: HttpUpstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tools = (await list_tools(upstream, server, Credential("good-token"))).tools
    assert [found["name"] for found in tools] == ["add", "fail"]
    assert tools[0]["description"] == "Adds two numbers."
    assert tools[0]["inputSchema"]["required"] == ["a", "b"]
    assert "good-token" not in caplog.text


@pytest.mark.parametrize("token", [None, "revoked-token"])
async def test_a_token_that_is_not_taken(server: str, upstream: HttpUpstream, token: str | None) -> None:
    with pytest.raises(AccessRefused) as caught:
        await list_tools(upstream, server, None if token is None else Credential(token))
    assert caught.value.error == "invalid_token"
    assert str(token) not in str(caught.value)


async def test_a_token_with_too_little_scope(server: str, upstream: HttpUpstream) -> None:
    with pytest.raises(AccessRefused) as caught:
        await list_tools(upstream, server, Credential("narrow-token"))
    assert caught.value.error == "insufficient_scope"
