"""What is known of a request while it is served, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latchpin.contracts import CallOutcome, McpCall
from latchpin.model import Caller
from latchpin_mcp.calls import CallObservers, WatchedCall
from starlette.types import Scope, Send

from latchpin_proxy.call import Call
from latchpin_proxy.resource import endpoint_path
from latchpin_proxy.room import Share

__all__ = ["Served"]


@dataclass(slots=True)
class Served:
    """What is known of a request so far.

    Attributes:
        judged: another endpoint has seen to who calls, and to who is told of it.
        opens_links: as a session of that endpoint has it.
        all_tools: that endpoint takes what is held back out of lists itself.
        share: of what may be held, what its body takes.
        watched: the call as it came, for those who are told of calls.
        followed: the call as it goes on, for those who follow it.
    """

    caller: Caller | None = None
    call: Call | None = None
    judged: bool = False
    opens_links: bool = False
    all_tools: bool = False
    share: Share | None = None
    watched: WatchedCall | None = None
    followed: WatchedCall | None = None

    def watch(self, calls: CallObservers, caller: Caller, scope: Scope, send: Send) -> Send:
        """Let those who want to know watch the answer; return what takes it in their place."""
        if not self.judged:
            path = endpoint_path(scope["path_params"]["gateway_id"])
            self.watched = calls.watch(McpCall("server", caller, path), send, scope["headers"])
        return send if self.watched is None else self.watched.send

    def follow(self, calls: CallObservers, caller: Caller, scope: Scope, send: Send) -> Send:
        """The same for those who want to know how it goes on."""
        self.followed = calls.watch(McpCall("client", caller), send, scope["headers"])
        return self.followed.send

    async def end(self, outcome: CallOutcome, error: str = "") -> None:
        """Say what became of it, where its answer does not; it does not go on any more."""
        if self.watched is not None:
            self.watched.mark(outcome, error)
        if self.followed is not None:
            self.followed.mark(outcome, error)
            await self.followed.end()

    def within(self, call: Call) -> Call:
        """The call as part of what it is served for."""
        if not self.judged:
            return call
        opens_links = self.opens_links or call.terms.opens_links
        return replace(call, signs_in=False, terms=replace(call.terms, opens_links=opens_links))
