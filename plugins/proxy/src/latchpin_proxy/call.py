"""One call as it was read: for whom, what goes on to the MCP server, and under which terms its answer comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latchpin_proxy.asked import URLS_SINCE, read_asks
from latchpin_proxy.messages import Terms
from latchpin_proxy.relay import McpRequest
from latchpin_proxy.resuming import Resumed, read_resumed
from latchpin_proxy.returning import open_body, open_headers

__all__ = ["Call", "open_call"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        resumed: what it resumes, if it was answered with a question of ours before.
        signs_in: its program could sign in at this endpoint anew. Not where it is part of another endpoint's exchange.
        is_held: its body is small enough to be read when it comes again.
    """

    request: McpRequest
    terms: Terms
    resumed: Resumed | None = None
    signs_in: bool = True
    is_held: bool = True

    @property
    def can_open_links(self) -> bool:
        """Whether it belongs to a session whose program asks its person to open links (2025-11-25)."""
        negotiated = dict(self.request.headers).get("mcp-protocol-version", "")
        return self.terms.opens_links and negotiated >= URLS_SINCE


def open_call(request: McpRequest, terms: Terms) -> Call:
    """Open what the caller brings back, and say what its session is. Pure.

    Args:
        request: as it came, with what is sealed.
        terms: those of a call outside of a session; their binder opens what was sealed for this caller there.

    Raises:
        NotYours, InvalidRequest: what it brings is another's, or cannot be read.
    """
    binder = terms.binder
    fields, session = open_headers(request.headers, binder)
    body, resumed = request.body, None
    if body is not None:
        resumed = read_resumed(body, binder)
        body, fields = open_body(body if resumed is None else resumed.body, fields, binder)
    declared = read_asks(body) if session is None else None
    if declared is not None or session not in {None, "session"}:
        terms = replace(
            terms,
            opens_links=declared == "links" or session in {"session that opens links", "links without session"},
            asks_nothing=declared == "nothing" or session == "session that asks nothing",
            begins=declared in {"links", "forms"},
        )
    if fields is not request.headers or body is not request.body:
        request = replace(request, headers=fields, body=body)
    return Call(request, terms, resumed)
