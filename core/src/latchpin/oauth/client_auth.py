"""How the client proves itself at the token endpoint by its secret (RFC 6749 section 2.3), without I/O.

``client_id`` is always in the body, with HTTP Basic too: the standard allows it and common servers
demand it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import quote_plus

from latchpin.contracts import TokenRequestParts
from latchpin.errors import ConfigurationError
from latchpin.model import ClientCredentials

__all__ = [
    "basic_parts",
    "choose_method",
    "post_parts",
    "public_parts",
    "secret_of",
]

_WITH_SECRET = ("client_secret_basic", "client_secret_post", "private_key_jwt")


def choose_method(configured: str | None, supported: Sequence[str] | None, has_secret: bool) -> str:
    """Choose the ``token_endpoint_auth_method`` of a client.

    What the gateway's entry or the registration says wins, also over the server's metadata, which is often
    incomplete. Without a secret only ``none`` is left. With one: Basic if the server names nothing (RFC 8414
    section 2), else the first of Basic, post and ``private_key_jwt`` that it names. A server that names only
    ``none`` is not sent the secret; one that names only methods we do not have gets Basic, which every
    server that issues secrets must take (RFC 6749 section 2.3.1).
    """
    if configured:
        return configured
    if not has_secret:
        return "none"
    if not supported:
        return "client_secret_basic"
    for method in _WITH_SECRET:
        if method in supported:
            return method
    return "none" if "none" in supported else "client_secret_basic"


def basic_parts(client: ClientCredentials) -> TokenRequestParts:
    """HTTP Basic; id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1).

    Raises:
        ConfigurationError: the client has no secret.
    """
    login = f"{quote_plus(client.client_id)}:{quote_plus(secret_of(client, 'client_secret_basic'))}"
    header = "Basic " + base64.b64encode(login.encode()).decode()
    return TokenRequestParts({"authorization": header}, {"client_id": client.client_id})


def post_parts(client: ClientCredentials) -> TokenRequestParts:
    """Id and secret in the body.

    Raises:
        ConfigurationError: the client has no secret.
    """
    secret = secret_of(client, "client_secret_post")
    return TokenRequestParts({}, {"client_id": client.client_id, "client_secret": secret})


def public_parts(client: ClientCredentials) -> TokenRequestParts:
    """A public client only says who it is."""
    return TokenRequestParts({}, {"client_id": client.client_id})


def secret_of(client: ClientCredentials, method: str) -> str:
    """What proves the client by ``method``: its secret, or its private key.

    Raises:
        ConfigurationError: it has none.
    """
    if client.client_secret:
        return client.client_secret
    what = "private key" if method == "private_key_jwt" else "client_secret"
    raise ConfigurationError(
        f"The gateway is to use {method}, and its client has no {what}.",
        public="The gateway's client is not fully configured.",
        remedy=f"Enter the {what} as client_secret, or set token_endpoint_auth_method to none.",
    )
