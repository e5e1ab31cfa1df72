"""Proves the client at the token endpoint and its neighbours (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.directory import ClientDirectory
from latchpin_authorization_server.errors import OAuthError

__all__ = ["authenticate"]


async def authenticate(clients: ClientDirectory, authorization: str | None, form: Mapping[str, str]) -> Client:
    """Say which client asks.

    Args:
        clients: the known ones.
        authorization: the request's header, None if there is none.
        form: its body.

    Raises:
        OAuthError: ``invalid_client``: it is unknown, or does not prove itself the way it registered.
    """
    if authorization is not None:
        client_id, secret = _parse_basic(authorization)
        method = "client_secret_basic"
        if form.get("client_id", client_id) != client_id or "client_secret" in form:
            raise _refused("the client names itself twice, and not alike")
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        method = "client_secret_post" if secret else "none"
    client = await clients.find(client_id)
    if client is None:
        raise _refused("no such client is known here")
    if client.auth_method == "none":
        if method != "none":
            raise _refused("this client has no secret")
    elif method == "none" or not client.has_secret(secret):  # either way of sending the secret proves it
        raise _refused("the client did not prove itself")
    return client


def _parse_basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise _refused("the Authorization header holds no Basic credentials")
    return unquote_plus(client_id), unquote_plus(secret)


def _refused(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, status=401)
