"""MCP calls as OpenTelemetry's conventions count and trace them; what callers make up fills no memory."""

from __future__ import annotations

import json
import re

import pytest
from latchpin.contracts import McpCall
from latchpin.model import Caller
from latchpin_mcp.calls import open_calls
from latchpin_metrics import meters as module
from latchpin_metrics.call_spans import TracingCalls
from latchpin_metrics.calls import LONGEST, MOST_ERRORS, CountingCalls
from latchpin_metrics.tracing import TracingObserver
from latchpin_proxy.carrying import carry
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.proxy.conftest import read, reply
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

NEEDS = ("latchpin_proxy",)
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS = f"00-{TRACE}-b7ad6b7169203331-01"
ERROR = {"code": -32602, "message": "no such tool"}
ANSWERS = {"add": {"result": {"content": []}}, "fail": {"result": {"isError": True}}, "none": {"error": ERROR}}


@pytest.fixture
def bodies(scripted):
    """What the server was sent; it answers by the name that is called."""
    came = []

    async def answer(_scope, receive, send):
        came.append(await read(receive))
        message = json.loads(came[-1])
        told = {"jsonrpc": "2.0", "id": message.get("id")} | ANSWERS[message.get("params", {}).get("name", "add")]
        await reply(send, 200, [("content-type", "application/json")], json.dumps(told).encode())

    scripted.script = answer
    return came


async def post(gateway, gateway_id, body, user=ALICE, **headers):
    async with gateway.client(user, **headers) as client:
        sent = {"content-type": "application/json", "accept": "application/json"}
        return await client.post(f"{BASE}/gateways/{gateway_id}/mcp", content=body, headers=sent)


def call(name, **members):
    params = {"name": name, "arguments": {"secret": "hunter2"}} | members
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()


def counts(text):
    """How many calls there were, by tool and error."""
    found = re.findall(r"mcp_server_operation_duration_seconds_count\{(.*?)\} (\S+)", text)
    sets = [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(number)) for labels, number in found]
    return {(each["gen_ai_tool_name"], each["error_type"]): (number, each) for each, number in sets}


async def test_calls_are_counted_by_method_tool_and_error(gateway, scripted, bodies):
    gateway_id = await gateway.add(scripted.url, auth_type="none")
    for name in ("add", "add", "fail", "none"):
        await post(gateway, gateway_id, call(name), **{"MCP-Protocol-Version": "2025-11-25"})
    await post(gateway, gateway_id, b'{"jsonrpc":"2.0","id":1,"result":{}}')  # an answer is no operation
    await post(gateway, gateway_id, call("add"), user=None)  # nobody's call is none
    async with gateway.client(ADMIN) as admin:
        text = (await admin.get(f"{BASE}/metrics")).text
    found = counts(text)
    assert {key: number for key, (number, _) in found.items()} == {
        ("add", ""): 2,
        ("(other)", "tool_error"): 1,
        ("(other)", "-32602"): 1,
    }
    _, labels = found["add", ""]
    assert labels == {
        "mcp_method_name": "tools/call",
        "gen_ai_operation_name": "execute_tool",
        "gen_ai_tool_name": "add",
        "gen_ai_prompt_name": "",
        "error_type": "",
        "rpc_response_status_code": "",
        "mcp_protocol_version": "2025-11-25",
        "network_transport": "tcp",
        "network_protocol_name": "http",
    }
    assert found["(other)", "-32602"][1]["rpc_response_status_code"] == "-32602"
    assert gateway_id not in text
    assert ALICE not in text


def test_names_that_somebody_makes_up_take_no_memory(environment):
    module.meters.cache_clear()
    counting = CountingCalls(names=3)
    for number in range(1_000):
        for outcome, error in (("ok", ""), ("error", str(number)), ("tool_error", "")):
            made_up = McpCall("server", Caller("a@example.com"), "/mcp", f"made/up{number}", version=f"v{number}")
            tool = McpCall("server", Caller("a@example.com"), "/mcp", "tools/call", f"tool{number}")
            for each in (made_up, tool):
                each.outcome, each.error = outcome, error
                counting.begin(each)()
    series = list(module.meters().calls)
    assert len(series) < 3 * MOST_ERRORS
    assert {labels[2] for labels in series} == {"", "tool0", "tool1", "tool2", "(other)"}
    long = McpCall("server", Caller("a@example.com"), "/mcp", "prompts/get", "p" * (LONGEST + 1), outcome="ok")
    counting.begin(long)()
    assert list(module.meters().calls)[-1][3] == "(other)"
    module.meters.cache_clear()


@pytest.fixture
def trusting():
    return False


@pytest.fixture
async def spans(gateway, trusting):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    services = gateway.app.state.services
    services.observers.add("traces", TracingObserver(provider, trusting=trusting))
    (await open_calls(services)).add("traces", TracingCalls(provider, trusting=trusting))
    yield lambda: {(span.name, span.kind): span for span in exporter.get_finished_spans()}
    provider.shutdown()


SERVER, CLIENT = ("tools/call add", SpanKind.SERVER), ("tools/call add", SpanKind.CLIENT)
META = {"traceparent": CALLERS, "tracestate": "vendor=anything", "baggage": "for=the-server", "other": [1.0, 1e400]}
BODY = call("add", _meta=META).replace(b"Infinity", b"1e400")


async def test_a_call_is_a_span_on_each_side_in_one_trace_and_the_server_gets_its_context(
    gateway, scripted, bodies, spans
):
    gateway_id = await gateway.add(scripted.url, auth_type="none")
    await post(gateway, gateway_id, BODY)
    request = spans()["POST /gateways/{gateway_id}/mcp", SpanKind.SERVER]
    server, client = spans()[SERVER], spans()[CLIENT]
    upstream = spans()["POST", SpanKind.CLIENT]
    assert [each.parent and each.parent.span_id for each in (request, server, client, upstream)] == [
        None,
        request.context.span_id,
        server.context.span_id,
        client.context.span_id,
    ]
    [link] = server.links
    assert (f"{link.context.trace_id:032x}", f"{request.context.trace_id:032x}" == TRACE) == (TRACE, False)
    assert not link.context.trace_state
    assert dict(server.attributes) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "jsonrpc.request.id": "7",
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }
    assert client.attributes["server.address"] == "127.0.0.1"
    context = f"00-{client.context.trace_id:032x}-{client.context.span_id:016x}-{client.context.trace_flags:02x}"
    kept = b'{"baggage":"for=the-server","other":[1.0, 1e400],"traceparent":"' + context.encode() + b'"}'
    before, after = BODY.split(b'{"traceparent"')[0], b"}}"
    assert bodies == [before + kept + after]
    assert "hunter2" not in str([dict(each.attributes) for each in spans().values()])


@pytest.mark.parametrize("trusting", [True])
async def test_with_trust_the_trace_of_the_message_goes_on(gateway, scripted, bodies, spans):
    gateway_id = await gateway.add(scripted.url, auth_type="none")
    await post(gateway, gateway_id, BODY)
    server = spans()[SERVER]
    assert (server.context.trace_id, server.parent.span_id) == (int(TRACE, 16), 0xB7AD6B7169203331)
    assert [link.context for link in server.links] == [
        spans()["POST /gateways/{gateway_id}/mcp", SpanKind.SERVER].context
    ]
    sent = json.loads(bodies[0].replace(b"1e400", b"0"))["params"]["_meta"]
    assert (sent["tracestate"], sent["traceparent"].split("-")[1]) == ("vendor=anything", TRACE)


CONTEXT = {"traceparent": "00-1", "tracestate": ""}
PUT = b'"_meta":{"traceparent":"00-1"}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"', b"}"),
        (b'{"method" : "ping","params":{', b' } , "n": 1e400}'),
        (b'{"method":"tools/list","params":{', b'"cursor":"\xc3\xa9"},"id":1}'),
    ],
)
def test_all_other_bytes_of_a_message_pass_as_they_came(before, after):
    put = PUT + b"," if after.startswith(b'"') else PUT
    if b'"params"' not in before:
        assert carry(before + after, CONTEXT) == before.replace(b"{", b'{"params":{' + PUT + b"},", 1) + after
    else:
        assert carry(before + after, CONTEXT) == before + put + after


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"method":"ping","params":{},"params":{}}',
        b'{"method":"ping","params":{"_meta":{"a":1,"a":2}}}',
        b'{"method":"ping","params":[]}',
        b'{"method":"ping","params":7}',
        b'{"method":"ping"',
        b'{7:1,"method":"ping"}',
        b'[{"method":"ping"}]',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_in_one_way_stays_as_it_is(body):
    assert carry(body, CONTEXT) == body


async def test_a_failed_call_is_an_error_span_with_its_kind(gateway, scripted, bodies, spans):
    gateway_id = await gateway.add(scripted.url, auth_type="none")
    for name in ("fail", "none"):
        await post(gateway, gateway_id, call(name))
    for side in (SpanKind.SERVER, SpanKind.CLIENT):
        failed, none = spans()["tools/call fail", side], spans()["tools/call none", side]
        assert (failed.status.status_code.name, failed.attributes["error.type"]) == ("ERROR", "tool_error")
        assert (none.attributes["error.type"], none.attributes["rpc.response.status_code"]) == ("-32602", "-32602")
