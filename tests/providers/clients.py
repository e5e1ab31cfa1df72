"""Clients that talk to the servers without the gateway: an OAuth client of a few lines, and the official MCP client."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import httpx2
from latchpin_demo.browser import Browser
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from tests.providers.servers import sign_in

# An OAuth client of a few lines, to prove the providers without the gateway.


REDIRECT_URI = "http://127.0.0.1:9/oauth/callback"


class PlainClient:
    """Discovers from an MCP URL, registers, authorizes with PKCE, and redeems."""

    def __init__(self, http: httpx.AsyncClient, mcp_url: str) -> None:
        self.http = http
        self.mcp_url = mcp_url
        self.resource: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.client: dict[str, Any] = {}
        self.verifier = ""

    async def discover(self) -> None:
        """RFC 9728, then RFC 8414."""
        challenge = (await self.http.post(self.mcp_url, json={})).headers["www-authenticate"]
        found = re.search(r'resource_metadata="([^"]+)"', challenge)
        assert found is not None
        self.resource = (await self.http.get(found[1])).raise_for_status().json()
        parts = urlsplit(self.resource["authorization_servers"][0])
        path = parts.path.rstrip("/")
        url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"
        self.metadata = (await self.http.get(url)).raise_for_status().json()

    async def register(self, auth_method: str = "client_secret_basic", **wishes: Any) -> httpx.Response:
        """RFC 7591."""
        body = {"redirect_uris": [REDIRECT_URI], "client_name": "Plain", "token_endpoint_auth_method": auth_method}
        body |= {"grant_types": ["authorization_code", "refresh_token"], "scope": "mcp:read"} | wishes
        answer = await self.http.post(self.metadata["registration_endpoint"], json=body)
        self.client = answer.json()
        return answer

    def authorization_url(self, **changes: str | None) -> str:
        """RFC 6749 section 4.1.1; a changed parameter that is None is left out."""
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client.get("client_id"),
            "redirect_uri": REDIRECT_URI,
            "state": "here & there",
            "scope": "mcp:read",
            "resource": self.mcp_url,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        chosen = {name: value for name, value in (query | changes).items() if value is not None}
        return f"{self.metadata['authorization_endpoint']}?{urlencode(chosen)}"

    async def authorize(
        self, browser: Browser, *, user: str = "alice@example.com", allow: bool = True
    ) -> dict[str, str]:
        """Take the browser through the pages and give the answer's parameters."""
        page = await browser.open(self.authorization_url(), follow=False)
        while (target := page.headers.get("location", "")) and not target.startswith(REDIRECT_URI):
            page = await browser.open(target, follow=False)
        if not target:
            page = await sign_in_and_stop(browser, user=user, allow=allow)
        return answer_in(page.headers["location"])

    async def token(self, **fields: str) -> httpx.Response:
        """RFC 6749 section 4.1.3 or 6, with HTTP Basic if the client has a secret."""
        form = {"client_id": self.client["client_id"], "resource": self.mcp_url} | fields
        headers = {}
        if secret := self.client.get("client_secret"):
            pair = f"{quote(self.client['client_id'], safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return await self.http.post(self.metadata["token_endpoint"], data=form, headers=headers)

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        """Exchange the code."""
        fields = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI, "code_verifier": self.verifier}
        return await self.token(code=code, **(fields | changes))

    async def refresh(self, refresh_token: str, **changes: str) -> httpx.Response:
        """Rotate the refresh token."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    async def obtain(self, browser: Browser, *, user: str = "alice@example.com") -> dict[str, Any]:
        """Everything from the MCP URL to the token answer."""
        await self.discover()
        (await self.register()).raise_for_status()
        answer = await self.authorize(browser, user=user)
        tokens: dict[str, Any] = (await self.redeem(answer["code"])).raise_for_status().json()
        return tokens


async def sign_in_and_stop(browser: Browser, *, user: str, allow: bool) -> Any:
    """Answer the pages, and do not go on to the client, which is not there."""
    return await sign_in(browser, user=user, allow=allow, follow=False)


def answer_in(location: str) -> dict[str, str]:
    """The parameters of a redirect to the client."""
    assert location.startswith(REDIRECT_URI + "?"), location
    fields = parse_qs(urlsplit(location).query, strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}


# The official client with a given token, in both ages of the protocol.


Age = Literal["auto", "legacy", "2026-07-28"]
"""Which protocol the client speaks: the newest that the server has, 2025's handshake, or 2026's."""


@asynccontextmanager
async def _connected(url: str, token: str, mode: Age = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def list_tools(url: str, token: str, mode: Age = "auto") -> frozenset[str]:
    """The names of the tools."""
    async with _connected(url, token, mode) as client:
        return frozenset(tool.name for tool in (await client.list_tools()).tools)


async def call_tool(url: str, token: str, name: str, arguments: dict[str, Any], mode: Age = "auto") -> str:
    """The text of the answer."""
    async with _connected(url, token, mode) as client:
        result = await client.call_tool(name, arguments)
        assert not result.is_error
        return "".join(part.text for part in result.content if isinstance(part, TextContent))
