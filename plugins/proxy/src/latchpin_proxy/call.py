"""One call as it was read: for whom, what goes on to the MCP server, and under which terms its answer comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latchpin_proxy.asked import declares_urls
from latchpin_proxy.bindings import Binder
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
    """

    request: McpRequest
    terms: Terms
    resumed: Resumed | None = None
    signs_in: bool = True


def open_call(request: McpRequest, binder: Binder, *, base_url: str, private: bool) -> Call:
    """Open what the caller brings back, and say what its session is. Pure.

    Args:
        request: as it came, with what is sealed.
        binder: opens what was sealed for this caller at this gateway.
        base_url: BASE_URL.
        private: the caller's own token is used.

    Raises:
        NotYours, InvalidRequest: what it brings is another's, or cannot be read.
    """
    fields, session = open_headers(request.headers, binder)
    body, resumed = request.body, None
    if body is not None:
        resumed = read_resumed(body, binder)
        body, fields = open_body(body if resumed is None else resumed.body, fields, binder)
    begins = session is None and declares_urls(body)
    opens = begins or session in {"session that opens links", "links without session"}
    gateway = request.gateway
    terms = Terms(binder, gateway.name, gateway.url, base_url, private=private, opens_links=opens, begins=begins)
    return Call(replace(request, headers=fields, body=body), terms, resumed)
