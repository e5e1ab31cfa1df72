"""The demo's protected MCP server: three tools, and a description of where its tokens come from (RFC 9728)."""

from __future__ import annotations

from importlib.resources import files

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.types import ASGIApp

from latchpin_demo.state import SCOPES, InMemoryState

__all__ = ["PATH", "build_mcp_app", "find_passages"]

PATH = "/mcp"
_MOST_PASSAGES = 3


class _LedgerVerifier:
    """Knows a token by looking into the authorization server's own ledger."""

    def __init__(self, ledger: InMemoryState, issuer: str) -> None:
        self._ledger = ledger
        self._issuer = issuer

    async def verify_token(self, token: str) -> AccessToken | None:
        """Describe a living token, None for any other."""
        found = self._ledger.introspect(token)
        if found is None:
            return None
        grant, expires_at = found
        return AccessToken(
            token=token,
            client_id=grant.client_id,
            scopes=list(grant.scopes),
            expires_at=int(expires_at.timestamp()),
            resource=grant.resource,
            subject=grant.user,
            claims={"iss": self._issuer},
        )


def build_mcp_app(origin: str, *, issuer: str, ledger: InMemoryState, stateless: bool = True) -> ASGIApp:
    """Build the server to be reached at ``origin`` + ``PATH``.

    Tokens issued for another resource are refused.

    Args:
        origin: such as ``http://127.0.0.1:4446``.
        issuer: of the authorization server; one with a path, as the SDK writes a bare origin with a slash.
        ledger: that authorization server's.
        stateless: without sessions, and so without a stream of its own for each.
    """
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(issuer),
        resource_server_url=AnyHttpUrl(origin + PATH),
        required_scopes=list(SCOPES),
        validate_token_resource=True,
    )
    verifier = _LedgerVerifier(ledger, issuer)
    server: MCPServer[None] = MCPServer("latchpin-demo", token_verifier=verifier, auth=auth, log_level="WARNING")
    server.tool()(who_am_i)
    server.tool()(search)
    server.tool()(add)
    return server.streamable_http_app(streamable_http_path=PATH, stateless_http=stateless)


def who_am_i() -> str:
    """Say whose token this call came with."""
    token = get_access_token()
    return token.subject or "somebody without a name" if token else "nobody"


def search(query: str) -> str:
    """Search a short text about OAuth and gateways; gives the passages that hold most of the words."""
    passages = find_passages(query)
    return "\n\n".join(passages) if passages else f"Nothing in the text is about {query!r}."


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def find_passages(query: str) -> list[str]:
    """The bundled passages that hold some word of ``query``, those with most words first, at most three."""
    words = set(query.lower().split())
    passages = files("latchpin_demo").joinpath("notes.txt").read_text(encoding="utf-8").strip().split("\n\n")
    scored = [(sum(word in passage.lower() for word in words), passage) for passage in passages]
    found = sorted((entry for entry in scored if entry[0]), key=lambda entry: -entry[0])
    return [passage for _, passage in found[:_MOST_PASSAGES]]
