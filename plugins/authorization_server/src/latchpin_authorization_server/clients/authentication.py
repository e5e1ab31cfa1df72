"""Proves the client at the token endpoint and its neighbours (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

from latchpin.sdk.oauth import read_claims

from latchpin_authorization_server.clients.assertions import ASSERTION_TYPE
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.directory import ClientDirectory
from latchpin_authorization_server.errors import OAuthError

__all__ = ["authenticate"]

_ASSERTION = ("client_assertion_type", "client_assertion")


async def authenticate(clients: ClientDirectory, authorization: str | None, form: Mapping[str, str]) -> Client:
    """Say which client asks.

    Args:
        clients: the known ones.
        authorization: the request's header, None if there is none.
        form: its body.

    Raises:
        OAuthError: ``invalid_client``: it is unknown, or does not prove itself the way it registered.
    """
    if any(name in form for name in _ASSERTION):
        return await _prove_by_assertion(clients, authorization, form)
    if authorization is not None:
        client_id, secret = _parse_basic(authorization)
        method = "client_secret_basic"
        if form.get("client_id", client_id) != client_id or "client_secret" in form:
            raise _refused("the client names itself twice, and not alike")
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        method = "client_secret_post" if secret else "none"
    client = await _find(clients, client_id)
    if client.auth_method == "private_key_jwt":
        raise _refused("this client proves itself by a client assertion")
    if client.auth_method == "none":
        if method != "none":
            raise _refused("this client has no secret")
    elif method == "none" or not client.has_secret(secret):  # either way of sending the secret proves it
        raise _refused("the client did not prove itself")
    return client


async def _prove_by_assertion(clients: ClientDirectory, authorization: str | None, form: Mapping[str, str]) -> Client:
    """A client that signs assertions (RFC 7523 section 2.2); ``client_id`` may be left out (RFC 7521 section 4.2)."""
    kind, assertion = (form.get(name, "") for name in _ASSERTION)
    if kind != ASSERTION_TYPE or not assertion:
        raise _refused(f"client_assertion_type is {ASSERTION_TYPE}, beside client_assertion")
    if authorization is not None or "client_secret" in form:
        raise _refused("the client proves itself in two ways at once")
    client = await _find(clients, form.get("client_id") or str(read_claims(assertion).get("iss", "")))
    if client.auth_method != "private_key_jwt":
        raise _refused("this client does not sign assertions")
    await clients.assertions.check(client, assertion)
    return client


async def _find(clients: ClientDirectory, client_id: str) -> Client:
    client = await clients.find(client_id)
    if client is None:
        raise _refused("no such client is known here")
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
