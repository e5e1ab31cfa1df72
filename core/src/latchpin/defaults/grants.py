"""The built-in grant without a browser: the gateway's client vouches for itself (RFC 6749 section 4.4).

It needs nothing but what the core has anyway. The grants by which somebody else vouches are ``latchpin-enterprise``'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from latchpin.contracts import Backend, Context, Grant, GrantParameters, GrantRequest, GrantSubject
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.errors import TokenRefused
    from latchpin.model import OAuthConfig
    from latchpin.settings import Settings

__all__ = ["ClientCredentialsGrant"]


class ClientCredentialsGrant:
    """It needs nothing but the client."""

    def subject(self, _config: OAuthConfig) -> GrantSubject:
        """Name the client."""
        return GrantSubject("client", personal=False, message="Gateway authorizes itself with client credentials")

    def check(self, config: OAuthConfig, earlier: OAuthConfig) -> None:
        """Take any entry."""

    async def parameters(self, _request: GrantRequest) -> GrantParameters:
        """Add nothing."""
        return GrantParameters(repeatable=True)

    def explain(self, refused: TokenRefused) -> TokenRefused:
        """Pass it on."""
        return refused


@asynccontextmanager
async def _open(_settings: Settings, _context: Context) -> AsyncIterator[Grant]:
    yield ClientCredentialsGrant()


@hookimpl
def latchpin_grants() -> Sequence[Backend[Settings, Grant]]:
    """Offer it."""
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    return [Backend("client_credentials", "the gateway's own client", Settings, _open)]
