"""The built-in client authentication methods, offered through the same hook as anybody's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.contracts import ClientAuthentication, TokenRequestParts
    from latchpin.model import ClientCredentials

__all__ = ["KeyAuthentication", "PlainAuthentication"]


@dataclass(frozen=True, slots=True)
class PlainAuthentication:
    """A method that needs nothing but the client: Basic, post or none."""

    name: str
    build: Callable[[ClientCredentials], TokenRequestParts]

    def authenticate(
        self,
        client: ClientCredentials,
        *,
        issuer: str | None,  # noqa: ARG002  the contract's
        token_endpoint: str,  # noqa: ARG002  the contract's
        now: datetime,  # noqa: ARG002  the contract's
    ) -> TokenRequestParts:
        """Build what proves the client; see ``latchpin.oauth.client_auth``."""
        return self.build(client)


def _new_jti() -> str:
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class KeyAuthentication:
    """``private_key_jwt`` (RFC 7523 section 2.2).

    The audience is the issuer, as the successor of RFC 7523 requires: a token endpoint as audience lets a
    hostile server collect assertions that another one accepts. It is the token endpoint only where no issuer
    is known, since then nothing else names the server.
    """

    name: str = "private_key_jwt"
    new_jti: Callable[[], str] = _new_jti

    def authenticate(
        self, client: ClientCredentials, *, issuer: str | None, token_endpoint: str, now: datetime
    ) -> TokenRequestParts:
        """Build the signed assertion; see ``latchpin.oauth.client_assertion``."""
        from latchpin.oauth.client_assertion import assertion_parts  # noqa: PLC0415  loaded when asked for

        return assertion_parts(client, audience=issuer or token_endpoint, now=now, jti=self.new_jti())


@hookimpl
def latchpin_client_authentications() -> Sequence[ClientAuthentication]:
    """Offer Basic, post, none and private_key_jwt."""
    from latchpin.oauth.client_auth import basic_parts, post_parts, public_parts  # noqa: PLC0415  as above

    return (
        PlainAuthentication("client_secret_basic", basic_parts),
        PlainAuthentication("client_secret_post", post_parts),
        PlainAuthentication("none", public_parts),
        KeyAuthentication(),
    )
