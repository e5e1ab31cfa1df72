"""An MCP client that knows one URL: what every client does to get in, each step by itself so that it can be told."""

from __future__ import annotations

import hashlib
import re
import secrets
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from latchpin.sdk.oauth import base64url

__all__ = ["REDIRECT_URI", "StockClient"]

REDIRECT_URI = "http://127.0.0.1:9/callback"
"""Where the answer is sent. Nothing listens there: the demo's browser stops before it and hands the address over."""


class StockClient:
    """One client.

    Args:
        http: carries its requests.
        endpoint: the URL that it was given.
    """

    def __init__(self, http: httpx.AsyncClient, endpoint: str) -> None:
        self._http = http
        self._endpoint = endpoint
        self._metadata: dict[str, Any] = {}
        self._client_id = ""
        self._state = secrets.token_urlsafe(16)
        self._verifier = secrets.token_urlsafe(48)

    async def ask(self) -> str:
        """Ask the endpoint without a token; give the address of the description that its answer names (RFC 9728)."""
        answer = await self._http.post(self._endpoint, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        named = re.search(r'resource_metadata="([^"]+)"', answer.headers.get("www-authenticate", ""))
        if answer.status_code != HTTPStatus.UNAUTHORIZED or named is None:
            raise LookupError(f"HTTP {answer.status_code}, which does not say where to sign in.")
        return named[1]

    async def discover(self, description: str) -> str:
        """Read who gives tokens for the endpoint, and what that server offers (RFC 8414); give its issuer."""
        [issuer] = (await self._read(description))["authorization_servers"]
        self._metadata = await self._read(f"{issuer}/.well-known/oauth-authorization-server")
        return str(issuer)

    async def register(self) -> str:
        """Register (RFC 7591); give the client_id."""
        wishes = {"client_name": "Demo client", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
        answer = await self._http.post(self._metadata["registration_endpoint"], json=wishes)
        self._client_id = str(_json(answer)["client_id"])
        return self._client_id

    def authorization_url(self) -> str:
        """What the browser opens (RFC 6749 section 4.1.1, with PKCE and the endpoint as the resource)."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": REDIRECT_URI,
            "state": self._state,
            "resource": self._endpoint,
            "code_challenge": base64url.encode(hashlib.sha256(self._verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return f"{self._metadata['authorization_endpoint']}?{urlencode(query)}"

    async def redeem(self, came_back: str) -> str:
        """Exchange the code in the address that the browser came back with; give the access token."""
        answer = dict(parse_qsl(urlsplit(came_back).query))
        if (answer.get("state"), answer.get("iss")) != (self._state, self._metadata["issuer"]):
            raise LookupError("The answer is to another request, or of another server.")
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": answer.get("code", ""),
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self._verifier,
            "resource": self._endpoint,
        }
        return str(_json(await self._http.post(self._metadata["token_endpoint"], data=form))["access_token"])

    async def _read(self, url: str) -> dict[str, Any]:
        return _json(await self._http.get(url))


def _json(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise LookupError(f"HTTP {answer.status_code} at {answer.url.copy_with(query=None)}: {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found
