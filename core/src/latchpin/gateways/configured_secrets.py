"""The secrets on a gateway's entry: new ones are sealed in, what was meant for another place is dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from latchpin.clients.secrets import seal_configured_secret
from latchpin.contracts import Cipher
from latchpin.errors import InvalidRequest
from latchpin.gateways.body import OAuthConfigBody
from latchpin.model import OAuthConfig, Sealed

__all__ = ["with_secrets"]

_CLIENT_OF = {"client_secret": "client_id", "identity_provider_client_secret": "identity_provider_client_id"}


def with_secrets(
    config: OAuthConfig,
    earlier: OAuthConfig,
    body: OAuthConfigBody | None,
    gateway_id: str,
    cipher: Cipher,
    *,
    moved: bool,
) -> OAuthConfig:
    """The entry with its secrets: a new one in; null, a move, or its client's absence out; else as it was.

    Args:
        config: the entry as it will be, the old secrets still in it.
        earlier: the entry as it was.
        body: what came.
        gateway_id: whose entry it is.
        cipher: seals.
        moved: secrets for the authorization server were meant for another place.

    Raises:
        InvalidRequest: a client's secret came without the client.
    """
    at_provider = ("identity_provider", "identity_provider_token_url", "identity_provider_client_id")
    changed = any(getattr(config, name) != getattr(earlier, name) for name in at_provider)
    given: Mapping[str, Any] = body.given() if body is not None else {}

    def kept(name: str, drop: bool) -> Sealed | None:
        client = _CLIENT_OF.get(name)
        without_client = client is not None and getattr(config, client) is None
        secret = given.get(name)
        if isinstance(secret, SecretStr):
            if without_client:
                raise InvalidRequest(f"oauth_config.{name} is given without a {client}")
            issuer = config.identity_provider if name == "identity_provider_client_secret" else config.issuer
            return seal_configured_secret(
                secret.get_secret_value(), gateway_id=gateway_id, issuer=issuer, cipher=cipher, column=name
            )
        sealed: Sealed | None = getattr(config, name)
        return None if drop or name in given or without_client else sealed

    return replace(
        config,
        client_secret=kept("client_secret", moved),
        assertion=kept("assertion", moved),
        identity_provider_client_secret=kept("identity_provider_client_secret", changed),
    )
