"""An MCP server of the official SDK that takes oidc-provider's tokens, asking it about each (RFC 7662)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
from latchpin_demo.loopback import url_of
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

from tests.servers import serve_asgi

__all__ = ["RESOURCE_SERVER", "SCOPE", "serve_protected"]

SCOPE = "mcp:read"
RESOURCE_SERVER = {
    "client_id": "the-mcp-server",
    "client_secret": "the-secret-of-the-mcp-server-which-only-asks",
    "redirect_uris": [],
    "response_types": [],
    "grant_types": [],
}
"""The MCP server's own client at the provider: it asks about tokens and gets none."""


class _Introspection(TokenVerifier):
    """Believes what the provider says of a token now, so that a revoked one is refused at once."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._url = f"{issuer}/token/introspection"
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        login = (RESOURCE_SERVER["client_id"], RESOURCE_SERVER["client_secret"])
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            facts = (await http.post(self._url, data={"token": token}, auth=(str(login[0]), str(login[1])))).json()
        if not facts.get("active") or facts.get("aud") != self._resource:
            return None
        return AccessToken(
            token=token,
            client_id=facts["client_id"],
            scopes=facts["scope"].split(),
            expires_at=facts["exp"],
            resource=self._resource,
            subject=facts["sub"],
        )


@contextlib.contextmanager
def serve_protected(listener: socket.socket, issuer: str) -> Iterator[str]:
    """Serve it on ``listener`` and give its endpoint; its metadata names ``issuer``."""
    url = f"{url_of(listener)}/mcp"
    auth = AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": url,
            "required_scopes": [SCOPE],
            "validate_token_resource": True,
        }
    )
    verifier = _Introspection(issuer, url)
    server: MCPServer[None] = MCPServer("protected", token_verifier=verifier, auth=auth, log_level="WARNING")
    server.tool()(whose)
    with serve_asgi(server.streamable_http_app(), sock=listener):
        yield url


def whose() -> str:
    """Say whose token this is."""
    token = get_access_token()
    return str(token.subject) if token else "nobody's"
