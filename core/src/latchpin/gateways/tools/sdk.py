"""An MCP server's tools, listed through the official SDK's client.

The SDK is imported when it is needed; it brings 23 MB along. Its client first asks in the way of 2026-07-28
(``server/discover``) and falls back to the handshake of 2025 and earlier. It does not keep what went wrong
below it, so the transport observes that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import anyio
from pydantic import ValidationError

from latchpin.contracts import Upstream
from latchpin.errors import AccessRefused, UpstreamBusy, UpstreamError, UpstreamTimeout, UpstreamUnreadable
from latchpin.gateways.tools.listing import Listing, Sieve, list_pages, said_of
from latchpin.oauth.challenge import Challenge, parse_challenge
from latchpin.outbound.credential import Credential
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.redirects import explain_redirect
from latchpin.outbound.upstream import HttpUpstream, explain_failure, host_of

if TYPE_CHECKING:
    from latchpin.outbound.mcp_transport import Conversation, Observed

__all__ = ["MOST_BYTES", "MOST_TOOLS", "list_tools"]

MOST_TOOLS = 1_000
MOST_BYTES = 5_000_000
"""What all answers of one conversation may hold together, in bytes."""
SHORTEST_PART = 8
"""Characters of a token or key of which somebody may learn something."""
_UNAUTHORIZED, _FORBIDDEN, _FIRST_ERROR = 401, 403, 400


async def list_tools(
    upstream: Upstream, url: str, credential: Credential | None, *, within: float | None = None
) -> Listing:
    """List every tool of an MCP server, all pages, in the server's order.

    Args:
        upstream: as ``open_upstream`` gives it.
        url: the server's streamable HTTP endpoint.
        credential: shown to that URL's origin only; None for servers that want none.
        within: seconds for all of it; OAUTH_REQUEST_TIMEOUT if None.

    Raises:
        AccessRefused: the server does not take the token; ``error`` and ``scopes`` say why.
        UpstreamTimeout, UpstreamUnreachable, AddressRefused: there is no answer.
        UpstreamBusy: it asks to be left alone for a while.
        UpstreamUnreadable: it is not MCP, or there are more than 1,000 tools or 5 MB.
    """
    if not isinstance(upstream, HttpUpstream):
        raise TypeError("MCP servers are spoken to through what open_upstream gives")
    from mcp import Client  # noqa: PLC0415  only where tools are fetched
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    from latchpin.outbound.mcp_transport import Conversation  # noqa: PLC0415

    _silence_sdk()
    seconds = upstream.timeout if within is None else within
    sieve = Sieve()
    talk = Conversation(
        url=url,
        deadline=asyncio.get_running_loop().time() + seconds,
        budget=ByteBudget(MOST_BYTES),
        credential=credential,
    )
    try:
        with anyio.fail_after(seconds):
            async with upstream.open_mcp_client(talk) as http:
                transport = sieve.within(streamable_http_client(url, http_client=http))
                async with Client(transport, mode="auto", cache=None) as client:
                    sieve.version = lambda: client.session.protocol_version
                    return await list_pages(client, sieve, host_of(url), most=MOST_TOOLS)
    except Exception as exc:  # the SDK raises groups, its own errors and pydantic's alike
        raise _without_secret(_explain(exc, talk), talk) from exc


def _without_secret(error: UpstreamError, talk: Conversation) -> UpstreamError:
    """A server may repeat what it was shown, whole or cut off: no part of that is told to anybody, nor logged."""
    secret = "" if talk.credential is None else talk.credential.secret
    derived = (value for value in talk.observed.shown if secret not in value)  # as Basic writes a password
    said = f"{error.detail} {error.remedy}"
    if secret and any(part in said for text in (secret, *derived) for part in _parts(text)):
        error.detail = f"{host_of(talk.url)} repeats what it was shown, so its words are not told"
        error.args, error.remedy = (error.detail,), error.cause.remedy
    return error


def _parts(secret: str) -> Iterator[str]:
    return (secret[start : start + SHORTEST_PART] for start in range(max(1, len(secret) - SHORTEST_PART + 1)))


def _explain(exc: Exception, talk: Conversation) -> UpstreamError:
    """Say what went wrong, from what the transport observed before what the SDK makes of it."""
    observed, host = talk.observed, host_of(talk.url)
    own = _first(exc, UpstreamError)
    if own is not None:
        return own
    refused = observed.status in {_UNAUTHORIZED, _FORBIDDEN} or observed.redirect is not None
    if refused and observed.failure is None:
        return _explain_refusal(observed, host)
    if observed.failure is not None:
        return explain_failure(observed.failure, talk.url)
    if _first(exc, TimeoutError) is not None:
        return UpstreamTimeout(f"{host}: no whole answer in time", sent=True)
    if observed.status is not None and observed.status >= _FIRST_ERROR:
        return _explain_status(f"{host} answered HTTP {observed.status}", observed)
    return UpstreamUnreadable(f"{host} does not answer as an MCP server: {_said(exc)}", http_status=observed.status)


def _explain_status(text: str, observed: Observed) -> UpstreamError:
    if observed.pause is not None:
        return UpstreamBusy(text, retry_after=observed.pause, http_status=observed.status)
    return UpstreamUnreadable(text, http_status=observed.status)


def _explain_refusal(observed: Observed, host: str) -> UpstreamError:
    if observed.redirect is not None and observed.status is not None:
        url, location = observed.redirect
        return explain_redirect(host, url, observed.status, location)
    challenge = parse_challenge(observed.challenge) or Challenge()
    if observed.status == _UNAUTHORIZED:
        return AccessRefused(f"{host} answered HTTP 401", error="invalid_token", scopes=challenge.scopes)
    if challenge.error == "insufficient_scope":
        wanted = " ".join(challenge.scopes)[:200] or "more than it has"
        detail = f"{host} wants a token with the scopes {wanted!a}"
        return AccessRefused(detail, error="insufficient_scope", scopes=challenge.scopes)
    return UpstreamUnreadable(f"{host} answered HTTP 403", http_status=_FORBIDDEN)


def _said(exc: BaseException) -> str:
    """The MCP error in ``exc``, short and in ASCII; else where the answer is not what MCP says."""
    from mcp import MCPError  # noqa: PLC0415

    if (error := _first(exc, MCPError)) is not None:
        return f"error {error.code}, {error.message[:200]!a}"
    if (invalid := _first(exc, ValidationError)) is not None:
        return said_of(invalid)
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return f"{str(exc)[:200]!a}" if str(exc) else type(exc).__name__


ErrorT = TypeVar("ErrorT", bound=BaseException)


def _first(exc: BaseException, kind: type[ErrorT]) -> ErrorT | None:
    """Look for an exception of a kind inside nested groups."""
    if isinstance(exc, kind):
        return exc
    if isinstance(exc, BaseExceptionGroup):
        return next((found for part in exc.exceptions if (found := _first(part, kind)) is not None), None)
    return None


def _silence_sdk() -> None:
    """Keep the SDK's client from logging messages, session ids and tracebacks: we report what failed."""
    for name in ("mcp.client", "mcp.shared", "client", "httpx2"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
