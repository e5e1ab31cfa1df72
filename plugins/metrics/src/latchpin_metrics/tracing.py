"""OpenTelemetry spans: a request, what it asks other servers, what it asks the stores; W3C Trace Context in and out.

A trace begins anew at the gateway unless TRUST_TRACEPARENT says that callers are trusted: everybody may send a
``traceparent``, before anybody is known, and by its sampled flag would decide what is recorded here. W3C Trace Context
allows to restart a trace at such a boundary (section 3.2.2). The new one has a link to the caller's.

The provider is this plugin's own and not the process's, so that no library's spans, which may hold a URL with a
code in it, are sent along.
"""

from __future__ import annotations

from collections.abc import Callable

from latchpin.contracts import Operation
from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["W3C", "TracingObserver", "link_to"]

W3C = TraceContextTextMapPropagator()
_KINDS = {"request": SpanKind.SERVER, "upstream": SpanKind.CLIENT, "store": SpanKind.CLIENT}
_SERVER_ERROR = "5"


class TracingObserver:
    """Implements ``latchpin.contracts.Observer``. ``trusting``: a request's span continues its caller's trace."""

    def __init__(self, provider: trace.TracerProvider, *, trusting: bool) -> None:
        self._tracer = provider.get_tracer("latchpin")
        self._trusting = trusting

    def begin(self, operation: Operation) -> Callable[[], None]:
        """Begin a span inside the current one; a request's inside its caller's, or a trace with a link to that."""
        parent: Context | None = None
        links: list[Link] = []
        if operation.kind == "request":
            parent = W3C.extract(operation.carried, Context())
            if not self._trusting:
                parent, links = Context(), link_to(parent)
        span = self._tracer.start_span(operation.name, context=parent, kind=_KINDS[operation.kind], links=links)
        token = current.attach(trace.set_span_in_context(span))
        if operation.kind == "upstream":
            W3C.inject(operation.carried)

        def end() -> None:
            current.detach(token)
            _finish(span, operation)

        return end


def link_to(callers: Context) -> list[Link]:
    """A link to the caller's span by its ids alone; its ``tracestate`` may hold any text."""
    named = trace.get_current_span(callers).get_span_context()
    return [Link(SpanContext(named.trace_id, named.span_id, is_remote=True))] if named.is_valid else []


def _finish(span: trace.Span, operation: Operation) -> None:
    facts = operation.facts
    if operation.kind == "request":
        span.update_name(f"{operation.name} {facts.get('route', '')}".strip())
        span.set_attribute("http.route", facts.get("route", ""))
    if operation.kind == "store":
        span.set_attribute("db.operation.name", operation.name)
    else:
        span.set_attribute("http.request.method", operation.name)
    if "host" in facts:
        span.set_attribute("server.address", facts["host"])
    if "status" in facts:
        span.set_attribute("http.response.status_code", int(facts["status"]))
    if operation.outcome != "ok" or facts.get("status", "").startswith(_SERVER_ERROR):
        span.set_attribute("error.type", operation.outcome if operation.outcome != "ok" else facts["status"])
        span.set_status(Status(StatusCode.ERROR))
    span.end()
