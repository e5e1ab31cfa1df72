"""Spans of MCP calls, named and described as OpenTelemetry's semantic conventions for MCP have it.

At the server side a span for what came to an endpoint, at the client side one for what goes on to a server, which gets
its context in ``params._meta``. What a caller writes there is treated like a ``traceparent`` header: it is linked to,
and continued only where TRUST_TRACEPARENT says that callers are trusted. The URIs of resources stay out.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from latchpin.contracts import McpCall
from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from latchpin_metrics.calls import error_type
from latchpin_metrics.tracing import W3C, link_to

__all__ = ["TracingCalls"]

_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_NAMES = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}


class TracingCalls:
    """Implements ``latchpin.contracts.CallObserver``. ``trusting``: a call's span continues its caller's trace."""

    sees_all = False
    at_once = follows = True

    def __init__(self, provider: trace.TracerProvider, *, trusting: bool) -> None:
        self._tracer = provider.get_tracer("latchpin")
        self._trusting = trusting

    def begin(self, call: McpCall) -> Callable[[], None]:
        """Begin a span; at the client side its context travels along."""
        parent, links = self._whence(call) if call.side == "server" else (None, [])
        span = self._tracer.start_span(call.method, context=parent, kind=_KINDS[call.side], links=links)
        token = current.attach(trace.set_span_in_context(span))
        if call.side == "client":
            _put(call.carried)
        call.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

        def end() -> None:
            current.detach(token)
            _finish(span, call)

        return end

    def _whence(self, call: McpCall) -> tuple[Context | None, list[Link]]:
        """The span's parent, and what it has a link to: of the caller's context and the HTTP request's each is one."""
        callers, ambient = W3C.extract(call.carried, Context()), trace.get_current_span().get_span_context()
        if not self._trusting or not trace.get_current_span(callers).get_span_context().is_valid:
            return None, link_to(callers)
        return callers, [Link(ambient)] if ambient.is_valid else []


def _put(carried: dict[str, str]) -> None:
    """Put the current context in; the caller's baggage stays as it is, their ``tracestate`` only if it is ours too."""
    had_state = "tracestate" in carried
    carried.clear()
    if had_state:
        carried["tracestate"] = ""
    W3C.inject(carried)


def _finish(span: trace.Span, call: McpCall) -> None:
    span.set_attribute("mcp.method.name", call.method)
    if (target := _NAMES.get(call.method)) is not None and call.name:
        span.update_name(f"{call.method} {call.name}")
        span.set_attribute(target, call.name)
    if call.method == "tools/call":
        span.set_attribute("gen_ai.operation.name", "execute_tool")
    if call.id:
        span.set_attribute("jsonrpc.request.id", call.id)
    if call.version:
        span.set_attribute("mcp.protocol.version", call.version)
    span.set_attribute("network.transport", "tcp")
    span.set_attribute("network.protocol.name", "http")
    if call.side == "client" and call.gateway is not None:
        _name_server(span, call.gateway.url)
    if call.outcome == "error":
        span.set_attribute("rpc.response.status_code", call.error)
    if error := error_type(call):
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _name_server(span: trace.Span, url: str) -> None:
    parts = urlsplit(url)
    span.set_attribute("server.address", parts.hostname or "")
    span.set_attribute("server.port", parts.port or (443 if parts.scheme == "https" else 80))
