"""What may be said of a server that wants a key in a header field, and what may be such a key. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["AUTHORIZATION", "LONGEST_KEY", "check_header", "check_prefix", "choose_prefix", "explain_key"]

AUTHORIZATION: Final = "Authorization"
"""The field that a key goes in where an entry names no other (RFC 9110 section 11.6.2)."""
LONGEST_KEY: Final = 4096
"""Characters."""

_BEARER = "Bearer "
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_PRINTABLE = re.compile(r"[\x20-\x7E]*")

_NOT_A_KEYS = frozenset(
    # Fields that HTTP, MCP or this gateway write and read themselves: a key in one would be read as something else.
    {
        "accept",
        "age",
        "allow",
        "alt-svc",
        "alt-used",
        "baggage",
        "cache-control",
        "client-cert",
        "client-cert-chain",
        "connection",
        "cookie",
        "cookie2",
        "date",
        "dpop",
        "early-data",
        "expect",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "idempotency-key",
        "keep-alive",
        "last-event-id",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "set-cookie",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "vary",
        "via",
        "warning",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-real-ip",
        "x-rewrite-url",
    }
)
_NOT_A_KEYS_BEGIN = (
    "accept-",
    "access-control-",
    "content-",
    "if-",
    "mcp-",
    "proxy-",
    "sec-",
    "x-edge-",
    "x-envoy-",
    "x-forwarded-",
    "x-latchpin-",
    "x-original-",
)


def check_header(name: str) -> str:
    """The name of the field that a key goes in.

    Raises:
        ValueError: it is no field name (RFC 9110 section 5.1), or that of a field which is not a key's.
    """
    if not _TOKEN.fullmatch(name):
        raise ValueError("must be the name of a header field (RFC 9110 section 5.1), such as X-API-Key")
    plain = name.lower().replace("_", "-")  # many programs read one as the other (RFC 3875 section 4.1.18)
    if plain in _NOT_A_KEYS or plain.startswith(_NOT_A_KEYS_BEGIN):
        raise ValueError("must be a field of its own, and that one is written by HTTP, MCP or this gateway")
    return name


def check_prefix(prefix: str) -> str:
    """What stands before the key in that field.

    Raises:
        ValueError: it cannot be sent, or not as it is: blanks at a field's beginning are not part of it.
    """
    if not _PRINTABLE.fullmatch(prefix) or prefix.startswith(" "):
        raise ValueError("must be printable ASCII that does not begin with a blank")
    return prefix


def choose_prefix(header: str) -> str:
    """What stands before a key where the entry does not say: the scheme in ``Authorization``, elsewhere nothing."""
    return _BEARER if header.lower() == AUTHORIZATION.lower() else ""


def explain_key(key: str) -> str | None:
    """Why this cannot be a key, None where it can; no part of it is repeated."""
    if not key:
        return "no key was entered"
    if len(key) > LONGEST_KEY:
        return f"a key has at most {LONGEST_KEY} characters"
    if not _PRINTABLE.fullmatch(key):
        return "a key holds printable ASCII characters only: no line ends, and no letters with accents"
    if key != key.strip():
        return "a key neither begins nor ends with a blank"
    return None
