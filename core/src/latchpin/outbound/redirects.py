"""Where an MCP server's redirects lead, and which of them are followed: pure, and the same for whoever asks.

A redirect within the origin of the gateway's URL is followed as long as the request stays what it is; many servers that
are mounted below a path send ``/mcp`` to ``/mcp/``. Nothing goes to another origin, and no token does.
"""

from __future__ import annotations

from latchpin.errors import UpstreamUnreadable
from latchpin.model.urls import join_url, split_origin

__all__ = ["MOST_REDIRECTS", "explain_redirect", "follow_redirect", "is_redirect", "tell_redirect"]

MOST_REDIRECTS = 5
"""How many redirects one request follows."""
_KEEPING = frozenset({307, 308})
"""Those that keep method and body (RFC 9110 section 15.4); the others do so with GET alone."""
_NOT_MODIFIED = 304
_SHOWN = 200


def is_redirect(status: int) -> bool:
    """Whether an answer's status sends elsewhere."""
    return status in range(300, 400) and status != _NOT_MODIFIED


def follow_redirect(method: str, url: str, status: int, location: str | None) -> str | None:
    """The URL that the same request goes to next; None where the redirect is not followed, or is none.

    Args:
        method: the request's.
        url: where it was sent.
        status: the answer's.
        location: its ``Location``, relative ones included.
    """
    keeps = status in _KEEPING or (method == "GET" and is_redirect(status) and status != 300)  # noqa: PLR2004
    target = _target(url, location)
    if not keeps or target is None or split_origin(target) != split_origin(url):
        return None
    return target


def tell_redirect(url: str, status: int, location: str | None) -> str:
    """What an answer said, in one phrase; a URL is named without its query."""
    target = _target(url, location)
    where = f"a redirect to {target.partition('?')[0][:_SHOWN]!a}" if target else "a redirect without a usable URL"
    return f"HTTP {status}, {where}"


def explain_redirect(host: str, url: str, status: int, location: str | None) -> UpstreamUnreadable:
    """Why a redirect that is not followed ends a request, and what to enter instead."""
    target = _target(url, location)
    detail = f"{host} answered {tell_redirect(url, status, location)}, which is not followed"
    if target is None:
        return UpstreamUnreadable(detail, http_status=status)
    shown = target.partition("?")[0][:_SHOWN]
    remedy = f"If {shown} is the MCP server that you mean, an administrator enters it as the gateway's URL."
    return UpstreamUnreadable(detail, http_status=status, remedy=remedy)


def _target(url: str, location: str | None) -> str | None:
    return join_url(url, location.strip(" \t").partition("#")[0]) if location else None
