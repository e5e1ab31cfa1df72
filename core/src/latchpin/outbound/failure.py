"""Why there is no usable answer, in our own words: never an address's query, a secret, or a library's text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import aiohttp

__all__ = ["Failure", "FailureKind", "explain"]

FailureKind = Literal["address", "url", "connect", "tls", "timeout", "broken", "too-large", "undecodable"]


class Failure(Exception):
    """No usable answer.

    Attributes:
        kind: what went wrong.
        reason: one phrase, without query strings or secrets.
        sent: whether any part of the request may have left.
    """

    def __init__(self, kind: FailureKind, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.kind: FailureKind = kind
        self.reason = reason
        self.sent = sent


_REASONS: tuple[tuple[type[Exception], FailureKind, str], ...] = (
    # The first that fits counts, so the narrow ones come first.
    (aiohttp.InvalidURL, "url", "its host is not a name or a canonical address"),
    (aiohttp.ClientSSLError, "tls", "TLS failed: {}"),
    (aiohttp.ClientProxyConnectionError, "connect", "no connection to the proxy of OUTBOUND_PROXY: {}"),
    (aiohttp.ClientHttpProxyError, "connect", "the proxy of OUTBOUND_PROXY let nothing through: {}"),
    (aiohttp.ClientConnectorDNSError, "connect", "its name cannot be resolved"),
    (aiohttp.ClientConnectorError, "connect", "no connection: {}"),
    (aiohttp.ServerDisconnectedError, "broken", "it closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "broken", "its answer ended too early or is malformed"),
    (aiohttp.ClientResponseError, "undecodable", "its answer is not HTTP, or its header is too large"),
)


def explain(exc: Exception, *, refused: Sequence[str], sent: bool) -> Failure:
    """Turn what aiohttp or a socket raised into a failure.

    Args:
        exc: what was raised.
        refused: the addresses that the guard refused on the way, each with its reason.
        sent: whether any part of the request may have left.
    """
    if refused and not sent:
        return Failure("address", refused[0], sent=False)
    for kind_of_exception, kind, reason in _REASONS:
        if isinstance(exc, kind_of_exception):
            return Failure(kind, reason.format(_reason_of(exc)), sent=sent)
    return Failure("broken", f"the connection failed: {type(exc).__name__}", sent=sent)


def _reason_of(exc: BaseException) -> str:
    """What the system or OpenSSL says, without file names, addresses and line numbers."""
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return f"status {exc.status}"
    inner = getattr(exc, "certificate_error", None) or getattr(exc, "os_error", None)
    for name in ("verify_message", "reason"):
        if isinstance(text := getattr(inner, name, None), str) and text:
            return text
    number = getattr(inner, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else "no reason given"
