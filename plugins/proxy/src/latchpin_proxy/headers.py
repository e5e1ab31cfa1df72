"""Which header fields pass, in each direction. What is not named here passes as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from latchpin.errors import InvalidRequest
from latchpin.web.hosts import FORWARDING

__all__ = ["build_answer_headers", "build_request_headers"]

Raw = Iterable[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(  # RFC 9110 section 7.6.1
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-connection"}
)
_CALLERS_OWN = frozenset(
    # Secrets meant for us; and what describes the way between a browser and us, which the server would misread.
    {
        b"authorization",
        b"dpop",
        b"cookie",
        b"host",
        b"origin",
        b"referer",
        b"expect",
        b"content-length",
        b"accept-encoding",
    }
)
_CALLERS_PREFIXES = (b"x-forwarded-", b"x-original-", b"x-auth-request-", b"proxy-", b"sec-", b"cf-")
_SERVERS_OWN = frozenset(
    # What a browser would apply to our origin, and what would lead a client to another server with our token.
    {
        b"set-cookie",
        b"set-cookie2",
        b"www-authenticate",
        b"dpop-nonce",
        b"location",
        b"refresh",
        b"link",
        b"alt-svc",
        b"clear-site-data",
        b"strict-transport-security",
        b"public-key-pins",
        b"content-security-policy",
        b"content-security-policy-report-only",
        b"service-worker-allowed",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"date",
        b"server",
        b"x-content-type-options",
        b"referrer-policy",
    }
)
_SERVERS_PREFIXES = (b"access-control-", b"proxy-", b"cross-origin-")


def build_request_headers(
    received: Raw, *, also_drop: bytes | None = None, keep_length: bool = False
) -> tuple[tuple[str, str], ...]:
    """The caller's header fields as the MCP server gets them, without any authorization.

    Args:
        received: as the caller sent them, names in lower case.
        also_drop: TRUSTED_USER_HEADER in lower case, if it is set.
        keep_length: the body streams, so its declared length has to come along.

    Raises:
        InvalidRequest: a value is not UTF-8.
    """
    fields = list(received)
    dropped = _HOP_BY_HOP | _CALLERS_OWN | FORWARDING | _named_by_connection(fields)
    if also_drop:
        dropped |= {also_drop}
    if keep_length:
        dropped -= {b"content-length"}
    passed = [
        (name.decode("ascii"), _text(name, value))
        for name, value in fields
        if name not in dropped and not name.startswith(_CALLERS_PREFIXES)
    ]
    # Bodies pass as they are, so the caller says which encodings it can read; saying nothing means none.
    encodings = [value.decode("latin-1") for name, value in fields if name == b"accept-encoding"]
    passed.append(("accept-encoding", ", ".join(encodings) or "identity"))
    return tuple(passed)


def build_answer_headers(received: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The MCP server's header fields as the caller gets them; names in lower case."""
    dropped = _HOP_BY_HOP | _SERVERS_OWN | _named_by_connection(received)
    return [(name, value) for name, value in received if name not in dropped and not name.startswith(_SERVERS_PREFIXES)]


def _named_by_connection(fields: Raw) -> frozenset[bytes]:
    """The fields that ``Connection`` makes hop-by-hop; those that frame the body are not its to name."""
    named = {word.strip().lower() for name, value in fields if name == b"connection" for word in value.split(b",")}
    return frozenset(named) - {b"content-length", b"content-type", b"content-encoding"}


def _text(name: bytes, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"the header field {name.decode('ascii')} is not UTF-8") from exc
