"""Spans of a real flow: from the caller's trace through the gateway to the provider and the MCP server."""

from __future__ import annotations

import pytest
from latchpin_metrics.tracing import TracingObserver
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.providers import faults
from tests.support.gateway_in_process import ALICE, BASE

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = 1
CALLERS = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def trusting():
    """TRUST_TRACEPARENT, unless a test says otherwise."""
    return False


@pytest.fixture
def spans(gateway, trusting):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    gateway.app.state.services.observers.add("traces", TracingObserver(provider, trusting=trusting))
    yield exporter.get_finished_spans
    provider.shutdown()


async def fetch(connected, callers=CALLERS):
    headers = await connected.bearer() | {"traceparent": callers, "tracestate": "vendor=anything"}
    async with connected.gateway.client(None, **headers) as client:
        return await client.post(f"{BASE}/oauth/fetch-tools/{connected.id}")


def sent(provider, endpoint):
    return [asked.headers["traceparent"].split("-") for asked in provider.asked(endpoint)]


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_a_stranger_decides_neither_the_trace_nor_whether_it_is_recorded(connected, spans, provider, flags):
    provider.forget()
    assert (await fetch(connected, f"{CALLERS[:-2]}{flags}")).status_code == 200
    [request] = [span for span in spans() if span.name == "POST /oauth/fetch-tools/{gateway_id}"]
    assert request.parent is None
    assert request.context.trace_id != int(TRACE, 16)
    [link] = request.links
    assert (link.context.trace_id, link.context.span_id) == (int(TRACE, 16), 0xB7AD6B7169203331)
    assert not link.context.trace_state
    asked = provider.asked("mcp")
    assert asked
    for each in asked:
        _, trace_id, _, ours = each.headers["traceparent"].split("-")
        assert int(trace_id, 16) == request.context.trace_id
        assert int(ours, 16) & SAMPLED
        assert "tracestate" not in each.headers


@pytest.mark.parametrize("callers", ["", "00-nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01"])
async def test_what_is_no_traceparent_leaves_no_link(connected, spans, callers):
    assert (await fetch(connected, callers)).status_code == 200
    [request] = [span for span in spans() if span.name == "POST /oauth/fetch-tools/{gateway_id}"]
    assert (request.parent, list(request.links)) == (None, [])


@pytest.mark.parametrize("trusting", [True])
async def test_with_trust_a_callers_trace_reaches_the_mcp_server(connected, spans, provider):
    provider.forget()
    assert (await fetch(connected)).status_code == 200
    finished = spans()
    [request] = [span for span in finished if span.name == "POST /oauth/fetch-tools/{gateway_id}"]
    assert (request.context.trace_id, request.parent.span_id) == (int(TRACE, 16), 0xB7AD6B7169203331)
    by_id = {f"{span.context.span_id:016x}": span for span in finished}
    asked = sent(provider, "mcp")
    assert asked
    for _, trace_id, span_id, flags in asked:
        assert (trace_id, flags) == (TRACE, "01")
        assert by_id[span_id].attributes["server.address"] == "127.0.0.1"
    assert {"tokens.get"} <= {span.name for span in finished}
    assert {span.context.trace_id for span in finished} == {int(TRACE, 16)}


async def test_the_token_request_carries_the_callbacks_own_trace(gateway, spans, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        callback = await gateway.returned(browser, gateway_id)
        assert (await browser.open(callback)).title == "OAuth Authorization Successful"
    [(_, trace_id, span_id, _)] = sent(provider, "token")
    [callback_span] = [span for span in spans() if span.name == "GET /oauth/callback"]
    [upstream] = [span for span in spans() if f"{span.context.span_id:016x}" == span_id]
    assert int(trace_id, 16) == callback_span.context.trace_id
    assert upstream.parent.span_id == callback_span.context.span_id
    states = [span.name for span in spans() if span.name.startswith("states.")]
    assert states == ["states.put", "states.consume"]


async def test_failures_are_errors_and_nothing_secret_is_in_a_span(connected, spans, provider):
    provider.arm("token", faults.status(500))
    async with connected.gateway.browser() as browser:
        callback = await connected.gateway.returned(browser, connected.id)
        await browser.open(callback)
    [span] = [span for span in spans() if span.name == "GET /oauth/callback"]
    assert (span.status.status_code.name, span.attributes["http.response.status_code"]) == ("ERROR", 502)
    held = str([(each.name, dict(each.attributes)) for each in spans()])
    for word in (ALICE, "code=", "state=", callback.partition("state=")[2][:40], connected.id):
        assert word not in held
