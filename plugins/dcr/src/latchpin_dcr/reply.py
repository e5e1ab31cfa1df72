"""Client information responses, parsed without I/O (RFC 7591 section 3).

What the server says counts, not what was asked. Where it only writes things otherwise than it should, it is understood,
since it has registered a client by then; what was passed over is kept for the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from latchpin.contracts import Registration
from latchpin.errors import RegistrationRefused
from latchpin.model import ClientCredentials, Reply
from latchpin.sdk.oauth import choose_pause, plain_code, plain_words, tell_status
from latchpin.sdk.urls import is_loopback_host, split_origin

from latchpin_dcr.registration import METHODS, ClientMetadata

__all__ = ["Management", "Registered", "parse_management", "parse_registration", "parse_update"]

_VISIBLE = re.compile(r"[\x20-\x7E]{1,8192}")
_BODY_LIMIT = 256 * 1024
_SPAN = timedelta(days=3_650).total_seconds()  # no secret of today ended in the years after 1970
_REMEDIES = {
    "invalid_redirect_uri": "Have the provider allow this gateway's redirect URI, or register a client by hand.",
    "invalid_client_metadata": (
        "Compare the scopes on the gateway, DCR_DEFAULT_SCOPES and DCR_TOKEN_ENDPOINT_AUTH_METHOD with what the "
        "provider allows, or register a client by hand."
    ),
    "invalid_software_statement": "The provider wants a software statement; register a client by hand.",
    "unapproved_software_statement": "The provider wants a software statement; register a client by hand.",
}
_BY_STATUS = {
    401: "The provider registers only with an initial access token; register a client by hand.",
    403: "The provider does not let everybody register; register a client by hand.",
    404: "The registration endpoint in the server's metadata does not exist; register a client by hand.",
    429: "Try again later.",
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration, and what of the answer was odd and did not decide, a phrase each."""

    registration: Registration
    passed_over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Management:
    """Where a registered client is managed (RFC 7592), and with which token."""

    uri: str = field(repr=False)  # servers may put a key into its query
    token: str = field(repr=False)


def parse_registration(reply: Reply, asked: ClientMetadata, *, issuer: str | None, now: datetime) -> Registered:
    """Parse the server's answer.

    Members that the reply leaves out, although the standard wants them, are read as asked for. Where the client is
    managed (RFC 7592) is believed only at the registration endpoint's or the issuer's own origin: else any server could
    aim requests of ours, with a token of its choice, at any other.

    Args:
        reply: what the registration endpoint answered.
        asked: what it was asked for.
        issuer: whose endpoint it is.
        now: the current time.

    Raises:
        RegistrationRefused: the server refused, or registered something that we cannot use.
    """
    host = urlsplit(reply.url).hostname or "the server"
    document = _parse_document(reply, host)
    if not _succeeded(reply) or "error" in document:
        raise _refused(reply, document, host)
    odd: list[str] = []
    client_id = _text(document, "client_id", odd)
    if client_id is None:
        raise _unusable(host, "no client_id")
    secret = _text(document, "client_secret", odd)
    method = _agreed_method(document, asked, host, odd, has_secret=secret is not None)
    redirect_uris = _redirect_uris(document, asked, host, odd)
    grant_types = tuple(grant.lower() for grant in _words(document, "grant_types", asked.grant_types, odd))
    if asked.grant_types[0] not in grant_types:
        raise _unusable(host, f"no {asked.grant_types[0]} grant")
    managed = parse_management(reply, issuer)
    registration = Registration(
        credentials=ClientCredentials(client_id, secret if method != "none" else None, method),
        redirect_uris=redirect_uris,
        grant_types=grant_types,
        scope=_text(document, "scope", odd) or ("" if "scope" in document else asked.scope),
        registration_client_uri=managed.uri if managed else None,
        registration_access_token=managed.token if managed else None,
        secret_expires_at=_expiry(document, host, now, odd) if method != "none" else None,
    )
    return Registered(registration, tuple(odd))


def parse_update(
    reply: Reply, asked: ClientMetadata, before: Registration, *, issuer: str | None, now: datetime
) -> Registered:
    """Parse the server's answer to an update of a client (RFC 7592 section 2.2) as strictly as to a registration.

    What it leaves out is as ``before``: servers need not repeat a secret or a registration access token.

    Raises:
        RegistrationRefused: the server refused, or answered with another client or something that we cannot use.
    """
    document = _object_of(reply) if _succeeded(reply) else None
    if document is not None and "error" not in document:
        said = {name: value for name, value in document.items() if value is not None}
        reply = replace(reply, body=json.dumps(_members(before, said) | said, ensure_ascii=False).encode())
    registered = parse_registration(reply, asked, issuer=issuer, now=now)
    host = urlsplit(reply.url).hostname or "the server"
    if registered.registration.credentials.client_id != before.credentials.client_id:
        raise _unusable(host, "another client_id")
    if before.credentials.client_secret is not None and document and _is_unusable_secret(document):
        raise _unusable(host, "a client_secret that cannot be read")
    return registered


def _members(before: Registration, said: Mapping[str, Any]) -> dict[str, Any]:
    """What an update's answer may leave out. The end of a secret's life says nothing of another secret's."""
    secret, end = before.credentials.client_secret, before.secret_expires_at
    same = said.get("client_secret", secret) == secret
    members = {
        "client_id": before.credentials.client_id,
        "client_secret": secret,
        "client_secret_expires_at": end.timestamp() if end is not None and same else None,
        "registration_client_uri": before.registration_client_uri,
        "registration_access_token": before.registration_access_token,
    }
    return {name: value for name, value in members.items() if value is not None}


def _is_unusable_secret(document: Mapping[str, Any]) -> bool:
    return document.get("client_secret") is not None and _text(document, "client_secret", []) is None


def parse_management(reply: Reply, issuer: str | None) -> Management | None:
    """Where the client of a successful answer is managed; None if it says so nowhere that is believed."""
    document = _object_of(reply) if _succeeded(reply) else None
    if document is None:
        return None
    uri = _text(document, "registration_client_uri", [])
    token = _text(document, "registration_access_token", [])
    origin = split_origin(uri) if uri else None
    homes = [split_origin(home) for home in (reply.url, issuer) if home]
    return Management(uri, token) if uri and token and origin and origin in homes else None


def _succeeded(reply: Reply) -> bool:
    return 200 <= reply.status < 300  # noqa: PLR2004  what HTTP calls success


def _object_of(reply: Reply) -> dict[str, Any] | None:
    try:
        document = json.loads(reply.body.decode("utf-8-sig")) if len(reply.body) <= _BODY_LIMIT else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _parse_document(reply: Reply, host: str) -> dict[str, Any]:
    document = _object_of(reply)
    if document is None and _succeeded(reply):
        raise _unusable(host, "something that is not a JSON object")
    return document or {}


def _refused(reply: Reply, document: Mapping[str, Any], host: str) -> RegistrationRefused:
    code = plain_code(document["error"]) if document.get("error") else ""
    words = plain_words(document.get("error_description"))
    fact = f"{host} answered the registration with {tell_status(reply)}"
    fact += f" and '{code}'." if code else "."
    remedy = _REMEDIES.get(code) or _BY_STATUS.get(reply.status)
    if remedy is None and reply.status >= 500:  # noqa: PLR2004  HTTP
        remedy = "Try again later; if it repeats, register a client by hand and enter it on the gateway."
    what = f'{fact} It adds: "{words}"' if words else fact
    refused = RegistrationRefused(what, remedy=remedy)
    refused.retry_after = choose_pause(reply, code, page=None)
    return refused


def _unusable(host: str, what: str) -> RegistrationRefused:
    return RegistrationRefused(f"{host} answered the registration with {what}.")


def _agreed_method(
    document: Mapping[str, Any], asked: ClientMetadata, host: str, odd: list[str], *, has_secret: bool
) -> str:
    said = _text(document, "token_endpoint_auth_method", odd) or asked.token_endpoint_auth_method
    method = said.lower()
    if method not in METHODS:
        raise _unusable(host, f"an authentication method that was not asked for ('{plain_code(said)}')")
    if method != said:
        odd.append("token_endpoint_auth_method in upper case")
    if not has_secret:
        return "none"  # whatever it says: there is nothing to prove with
    return method


def _redirect_uris(document: Mapping[str, Any], asked: ClientMetadata, host: str, odd: list[str]) -> tuple[str, ...]:
    """Those that the server has. One of ours that it only writes otherwise stands as we send it."""
    ours = {_alike(uri): uri for uri in asked.redirect_uris}
    said = _words(document, "redirect_uris", asked.redirect_uris, odd)
    meant = tuple(dict.fromkeys(ours.get(_alike(uri), uri) for uri in said))
    if not set(asked.redirect_uris) <= set(meant):
        raise _unusable(host, "redirect URIs without this gateway's")
    if not set(asked.redirect_uris) <= set(said):
        odd.append("redirect_uris that are written otherwise than asked for")
    return meant


def _alike(uri: str) -> tuple[str, ...]:
    """The same for URIs that differ in writing only, or on loopback in the port (RFC 8252 section 7.3)."""
    text = unquote(uri).casefold()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or ""
    except ValueError:
        return (uri,)
    place = ("loopback",) if is_loopback_host(host) else (host, str(port or {"https": 443}.get(parts.scheme, "")))
    return (parts.scheme, *place, parts.path.rstrip("/"), parts.query)


def _text(document: Mapping[str, Any], name: str, odd: list[str]) -> str | None:
    value = document.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        odd.append(f"{name} as a number")
        value = str(value)
    return value if isinstance(value, str) and _VISIBLE.fullmatch(value) else None


def _words(document: Mapping[str, Any], name: str, otherwise: tuple[str, ...], odd: list[str]) -> tuple[str, ...]:
    """A list of texts; empty or absent it is as asked for."""
    value = document.get(name)
    if value is None:
        return otherwise
    items = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    words = tuple(word for word in items if isinstance(word, str) and _VISIBLE.fullmatch(word))
    if not isinstance(value, list) or len(words) < len(value):
        odd.append(f"{name} that is not a list of texts")
    return words if items else otherwise


def _expiry(document: Mapping[str, Any], host: str, now: datetime, odd: list[str]) -> datetime | None:
    """``client_secret_expires_at``: seconds since 1970, 0 for never. Some servers send the seconds from now."""
    value = document.get("client_secret_expires_at")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:  # noqa: PLR2004  int64
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    if value < _SPAN:
        odd.append("client_secret_expires_at in seconds from now")
        return now + timedelta(seconds=value)
    try:
        expires_at = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # beyond what a date can hold is never
    if expires_at <= now:
        raise _unusable(host, "a client_secret that has expired already")
    return expires_at
