"""A small authorization server for the demo and for tests, with pages for people.

It does what Latchpin asks of a server: metadata for an issuer with a path (RFC 8414), registration and
its deletion (RFC 7591, 7592), the code grant with PKCE S256 required (RFC 7636), resource indicators
(RFC 8707), ``iss`` in every answer (RFC 9207), refresh with rotation and revocation (RFC 7009). Its
users' password is printed on the login page, so it must listen on loopback only: serve it with
``latchpin_demo.loopback``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Clock
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from latchpin_demo.back_channel import AUTH_METHODS, BackChannel
from latchpin_demo.front_channel import PASSWORD, USERS, FrontChannel
from latchpin_demo.state import SCOPES, InMemoryState

__all__ = ["PASSWORD", "USERS", "AuthorizationServer"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuthorizationServer:
    """The server; ``app`` is what to serve.

    Args:
        origin: where it is reached, such as ``http://127.0.0.1:4445``.
        path: the issuer's path.
        resources: the resource indicators it issues tokens for; empty means any.
        clock: tells the time.
        token_lifetime: how long access tokens live.

    Attributes:
        issuer: the issuer identifier.
        ledger: clients, codes and tokens; a resource server in this process introspects them there.
    """

    def __init__(
        self,
        origin: str,
        *,
        path: str = "/accounts",
        resources: Collection[str] = (),
        clock: Clock = _utc_now,
        token_lifetime: timedelta = timedelta(hours=1),
    ) -> None:
        self.issuer = origin + path
        self.ledger = InMemoryState(clock, token_lifetime=token_lifetime)
        metadata = Route(f"/.well-known/oauth-authorization-server{path}", self._metadata)
        people = FrontChannel(self.issuer, self.ledger, frozenset(resources))
        programs = BackChannel(self.issuer, self.ledger)
        self.app = Starlette(routes=[metadata, *people.routes(), *programs.routes()])

    async def _metadata(self, _: Request) -> Response:
        """RFC 8414 section 2."""
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "registration_endpoint": f"{self.issuer}/register",
                "revocation_endpoint": f"{self.issuer}/revoke",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
                "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": list(SCOPES),
            }
        )
