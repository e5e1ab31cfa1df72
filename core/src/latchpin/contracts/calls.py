"""Who is told of each MCP call: who made it, what it was, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from latchpin.model import Caller, Gateway

__all__ = ["CallObserver", "CallOutcome", "McpCall"]

CallOutcome = Literal["", "ok", "tool_error", "error", "http", "refused", "cancelled", "broken-off"]
"""What became of a call: ``tool_error`` is a result with ``isError``, ``error`` a JSON-RPC error of the server's,
``http`` an answer that is no message, ``refused`` an answer of this gateway's own. ``cancelled``: its sender did not
wait for the answer; ``broken-off``: the answer ended before it was whole. ``""``: it is under way."""


@dataclass(slots=True)
class McpCall:
    """One message that a caller sends to an MCP endpoint. What is found out on the way is filled in.

    Attributes:
        side: ``server``: it came to an endpoint here; each call is told once so. ``client``: it goes on from here to a
            server; also what an endpoint asks by itself.
        caller: who sends it, or for whom it is sent.
        endpoint: the path it came to; ``""`` at the client side.
        method: MCP's. In parentheses where there is none: ``(answer)``, ``(batch)``, or ``(unread)`` for a body that
            is too large to be held, ``(ambiguous)`` for one that software may read in two ways.
        name: the tool, prompt or resource, as its server calls it; in a batch, what is in it.
        params: as they came. They hold arguments: nobody keeps them, but for a keyed hash.
        id: of the message; ``""`` for a notification.
        version: of the protocol, as the caller says.
        session: by its name for the caller; ``""`` outside of one.
        gateway: whose server it is for; None where the endpoint answers by itself, or it is not known yet.
        carried: trace context of ``params._meta`` (``traceparent``, ``tracestate``, ``baggage``). At the server side
            what came; at the client side what an observer puts in goes out there, and ``""`` takes a member away.
        trace_id: under which it is traced, if an observer does.
        error: with ``error`` the JSON-RPC code, with ``http`` the status, with ``refused`` the error code.
        seconds: until its answer had ended.
        request_bytes, response_bytes: of the bodies, as they were received and sent here.
    """

    side: Literal["server", "client"]
    caller: Caller
    endpoint: str = ""
    method: str = "(unread)"
    name: str = ""
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id: str = ""
    version: str = ""
    session: str = field(default="", repr=False)
    gateway: Gateway | None = field(default=None, repr=False)
    carried: dict[str, str] = field(default_factory=dict)
    trace_id: str = ""
    outcome: CallOutcome = ""
    error: str = ""
    seconds: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0


class CallObserver(Protocol):
    """Is told of each MCP call, when it was read and when its answer has ended. It must be quick and must not raise."""

    @property
    def at_once(self) -> bool:
        """It is told while the call goes on. Where nobody has to be, all are told a moment later, of many together."""

    @property
    def sees_all(self) -> bool:
        """No call may pass by it: what would serve some in this process's place leaves them to it."""

    @property
    def follows(self) -> bool:
        """It is told of the client side too. Messages are then read once more, and given what it lets travel along."""

    def begin(self, call: McpCall) -> Callable[[], Awaitable[None] | None] | None:
        """``call`` was read. What is returned is called once before the last of its answer is given out; None: not.

        If that in turn returns something to wait for, the end of the answer waits, and does not come if it raises: only
        with ``at_once``.
        """
