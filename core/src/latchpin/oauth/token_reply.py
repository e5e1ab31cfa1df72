"""Token endpoints' answers, parsed (RFC 6749 sections 5.1 and 5.2), without I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from latchpin.errors import UpstreamBusy, UpstreamUnreadable
from latchpin.model import Reply, TokenGrant
from latchpin.oauth.documents import tell_status
from latchpin.oauth.pauses import choose_pause
from latchpin.oauth.refusal import explain_code, plain_code, token_refused
from latchpin.oauth.token_fields import (
    read_id_token,
    read_lifetime,
    read_refresh_lifetime,
    read_scopes,
    read_subject,
)

__all__ = ["parse_token_document", "parse_token_reply", "read_token"]

_BODY_LIMIT = 256 * 1024
_TOKEN_LIMIT = 32 * 1024
_HEADER_TOKEN = re.compile(r"[\x21-\x7E]+")  # an access token goes into a header: no blanks either
_BEARER = frozenset({"", "bearer", "bearer token", "bearer_token", "bearer-token", "bearertoken", "user", "bot"})
"""How servers write Bearer; ``user`` and ``bot`` are Slack's, which say whose token it is."""
_WAIT = frozenset({408, 425, 429})
_VISIBLE = re.compile(r"[\x20-\x7E]+")  # RFC 6749 appendix A.17


def parse_token_reply(
    reply: Reply, *, now: datetime, default_lifetime: timedelta, hidden: Collection[str] = (), bound: bool = False
) -> TokenGrant:
    """Parse a token endpoint's answer (RFC 6749 sections 5.1 and 5.2).

    Read are JSON objects, the form encoding that some servers answer with, and Slack's nesting. A missing or empty
    ``token_type`` counts as Bearer, and so do other ways to write it; any other is refused, since we could not use it
    as meant, but for DPoP where a proof was sent. A ``refresh_token`` that cannot be one is passed over: the code is
    spent, and the access token serves without it.
    A lifetime that is missing, zero, negative or not a number counts as ``default_lifetime`` (servers say 0
    for "does not expire"); one beyond ten years is cut. ``scope`` may be a list, or separated by commas.

    Args:
        reply: the whole answer, whatever its status.
        now: the start of the token's lifetime.
        default_lifetime: OAUTH_DEFAULT_TIMEOUT.
        hidden: what was sent and must not come back in an error text: code, verifier, refresh token.
        bound: the request had a proof (RFC 9449 section 5), so that the token may be bound to its key.

    Raises:
        TokenRefused: the server said no; ``error`` is the registered code.
        UpstreamBusy: it asks us to wait.
        UpstreamUnreadable: the answer is a 5xx, or is not what the protocol says.
    """
    host = _host_of(reply)
    document = _unnest(parse_token_document(reply, hidden=hidden))
    kind = _read_type(reply, document, host, bound=bound)
    access_token = read_token(reply, document)
    refresh_token = document.get("refresh_token") or None
    odd = _fault_of(refresh_token, _VISIBLE) if refresh_token is not None else None
    lifetime = read_lifetime(document.get("expires_in"), default_lifetime)
    lasting = read_refresh_lifetime(document) if refresh_token is not None and odd is None else None
    return TokenGrant(
        access_token=access_token,
        token_type=kind,
        expires_at=now + lifetime,
        refresh_token=refresh_token if odd is None else None,
        scopes=read_scopes(document.get("scope")),
        subject=read_subject(document.get("id_token")),
        id_token=read_id_token(document.get("id_token")),
        passed_over=() if odd is None else (f"a refresh_token {odd}",),
        refresh_ends_at=None if lasting is None else now + lasting,
    )


def parse_token_document(reply: Reply, *, hidden: Collection[str] = ()) -> dict[str, Any]:
    """The members of an answer that grants something; arguments and errors are those of ``parse_token_reply``."""
    host = _host_of(reply)
    document = _parse_document(reply, host)
    failed = _overloaded(reply, document, host)
    if failed is not None:
        raise failed
    if document.get("error"):
        refused = token_refused(document["error"], document.get("error_description"), host=host, hidden=hidden)
        refused.retry_after = choose_pause(reply, refused.error)
        raise refused
    if not 200 <= reply.status < 300:  # noqa: PLR2004  what HTTP calls success
        raise _unreadable(reply, host, "without saying why")
    return document


def read_token(reply: Reply, document: Mapping[str, Any]) -> str:
    """The ``access_token`` of an answer; UpstreamUnreadable if there is none that could be one."""
    host = _host_of(reply)
    access_token = document.get("access_token")
    if access_token is None or access_token == "":
        raise _unreadable(reply, host, "without an access_token")
    fault = _fault_of(access_token, _HEADER_TOKEN)
    if fault is not None:
        raise _unreadable(reply, host, f"with an access_token {fault}")
    return str(access_token)


def _host_of(reply: Reply) -> str:
    return urlsplit(reply.url).hostname or "the token endpoint"


def _parse_document(reply: Reply, host: str) -> dict[str, Any]:
    if len(reply.body) > _BODY_LIMIT:
        raise _unreadable(reply, host, f"with more than {_BODY_LIMIT // 1024} kB")
    body = reply.body.strip()
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body[:1] != b"{" and kind in {"application/x-www-form-urlencoded", "text/plain"} and b"=" in body:
        return _parse_form(reply, host, body)
    try:
        document = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        if reply.status >= 400:  # noqa: PLR2004  the status says more than the missing body
            return {}
        what = "with a web page" if body[:1] == b"<" else "with something that is not JSON"
        raise _unreadable(reply, host, what if body else "with nothing") from exc
    if isinstance(document, dict):
        return document
    raise _unreadable(reply, host, "with JSON that is not an object")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_form(reply: Reply, host: str, body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError as exc:
        raise _unreadable(reply, host, "with something that is not JSON") from exc
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _unreadable(reply, host, "with a parameter twice")
    return document


def _overloaded(reply: Reply, document: Mapping[str, Any], host: str) -> UpstreamUnreadable | None:
    """5xx and what asks us to wait say nothing about the grant, whatever the body: everything is kept, tried later."""
    if reply.status < 500 and reply.status not in _WAIT:  # noqa: PLR2004  HTTP
        return None
    code = plain_code(document["error"]) if document.get("error") else ""
    why = f"saying '{code}': {explain_code(code)[1]}" if code else "which says that it has a problem of its own"
    return _unreadable(reply, host, why)


def _unreadable(reply: Reply, host: str, what: str) -> UpstreamUnreadable:
    fact = f"{host} answered the token request with {tell_status(reply)}, {what}."
    pause = choose_pause(reply)
    if reply.status in _WAIT and pause is not None:
        return UpstreamBusy(fact, retry_after=pause, http_status=reply.status)
    unreadable = UpstreamUnreadable(fact, http_status=reply.status)
    unreadable.retry_after = pause
    return unreadable


def _unnest(document: dict[str, Any]) -> dict[str, Any]:
    """Slack: a user's token may be in ``authed_user``, and the type says whose token it is."""
    if document.get("ok") is not True:
        return document
    user = document.get("authed_user")
    if not document.get("access_token") and isinstance(user, dict):
        document = {**document, **user}
    return document


def _read_type(reply: Reply, document: Mapping[str, Any], host: str, *, bound: bool) -> str:
    kind = document.get("token_type")
    plain = kind.strip().lower() if isinstance(kind, str) else None
    if kind is None or plain in _BEARER:
        return "Bearer"
    if bound and plain == "dpop":
        return "DPoP"
    raise _unreadable(reply, host, f"with a token_type other than Bearer ('{plain_code(kind)}')")


def _fault_of(value: object, allowed: re.Pattern[str]) -> str | None:
    """Why ``value`` is no token; None if it is one."""
    if not isinstance(value, str):
        return "that is not text"
    if len(value) > _TOKEN_LIMIT:
        return f"of more than {_TOKEN_LIMIT // 1024} kB"
    return None if allowed.fullmatch(value) else "with characters that no token may have"
