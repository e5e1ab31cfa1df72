"""One parser decides what a caller's message is, as the official SDK does; what can be read in two ways is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin_aggregator.envelopes import answer_for_modern, answer_for_sessions, request_body
from latchpin_mcp.header_values import decode_value, encode_value
from latchpin_mcp.message import Message, Refused, parse_message
from latchpin_mcp.parts import TwiceError, read_elements, read_members, read_object, read_value, replace_parts
from mcp.shared.inbound import (
    InboundModernRoute,
    classify_inbound_request,
    decode_header_value,
    encode_header_value,
)

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: "2026-07-28", CAPABILITIES: {}}
JSON = {"content-type": "application/json"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a__b", "arguments": {}, "_meta": META}}
CALLING = JSON | {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "a__b"}


def parse(body: object, headers: dict[str, str] | list[tuple[str, str]] = CALLING) -> Message:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return parse_message(raw, [(name.encode(), value.encode("latin-1")) for name, value in pairs])


def test_a_request_of_2026():
    message = parse(CALL)
    assert (message.era, message.method, message.id, message.param("name")) == ("modern", "tools/call", 1, "a__b")


def test_a_request_of_2025():
    message = parse({"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {"name": "a__b"}}, JSON)
    assert (message.era, message.id) == ("sessions", "x")


def test_a_notification_and_an_answer():
    told = parse({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}, JSON)
    assert (told.id, told.method) == (None, "notifications/cancelled")
    answered = parse({"jsonrpc": "2.0", "id": "q", "result": {}}, JSON)
    assert (answered.id, answered.method) == ("q", None)


TWICE = [
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\\u0061me":"b"}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"x":1,"x":2}}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","param\\u017f":{"name":"a"}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"b"}}', -32600),
    (b'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', -32600),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":NaN}', -32700),
    ('{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"), -32700),
    (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", -32700),
    (b"", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping",}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method" "ping"}', -32700),
    (b'{"jsonrpc":"2.0" "id":1,"method":"ping"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"', -32700),
    (b'{,"jsonrpc":"2.0","id":1,"method":"ping"}', -32700),
    (b'{jsonrpc:"2.0","id":1,"method":"ping"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"]', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":[1,]}', -32700),
    (b"{", -32700),
    (b"1", -32600),
    (b'{"id":1,"method":"ping"}', -32600),
    (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
    (b'{"jsonrpc":"2.0","id":1}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}}', -32600),
]


@pytest.mark.parametrize(("body", "code"), TWICE)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(body: bytes, code: int):
    with pytest.raises(Refused) as caught:
        parse(body, JSON)
    assert caught.value.code == code
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/json-rpc", "", "application/jsonx", "text/json"])
def test_another_media_type_is_refused(kind: str):
    with pytest.raises(Refused) as caught:
        parse(CALL, CALLING | {"content-type": kind})
    assert caught.value.status == 415
    assert parse(CALL, CALLING | {"content-type": "Application/JSON; charset=utf-8"})


@pytest.mark.parametrize(
    "named",
    [
        "charset=utf-7",
        'Charset = "utf-16"',
        "charset=utf-8; charset=utf-7",
        'a="; charset=utf-8"; charset=hex',
        "charset*=utf-8''utf-7",
    ],
)
def test_another_charset_is_refused(named: str):
    with pytest.raises(Refused) as caught:
        parse(CALL, CALLING | {"content-type": f"application/json; {named}"})
    assert caught.value.status == 415
    assert parse(CALL, CALLING | {"content-type": 'application/json;charset="UTF-8"'})
    assert parse(CALL, CALLING | {"content-type": "application/json; profile=x; charset=utf8"})


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_an_encoded_body_is_refused(coding: str):
    with pytest.raises(Refused):
        parse(CALL, CALLING | {"content-encoding": coding})


DIFFERING = [
    {"mcp-name": "a__c"},
    {"mcp-name": "=?base64?YV9fYw==?="},
    {"mcp-name": "=?base64?YV9fYg=?="},
    {"mcp-method": "tools/list"},
    {"mcp-protocol-version": "2025-11-25"},
]


@pytest.mark.parametrize("changed", DIFFERING)
def test_a_name_in_header_and_body_that_differ_is_refused(changed: dict[str, str]):
    with pytest.raises(Refused) as caught:
        parse(CALL, CALLING | changed)
    assert caught.value.code == -32020
    assert parse(CALL, CALLING | {"mcp-name": "=?base64?YV9fYg==?="})


@pytest.mark.parametrize("name", ["mcp-name", "mcp-method", "mcp-protocol-version", "mcp-session-id", "content-type"])
def test_a_header_field_that_comes_twice_is_refused(name: str):
    with pytest.raises(Refused):
        parse(CALL, [*CALLING.items(), (name, CALLING.get(name, "x"))] + ([(name, "x")] if name not in CALLING else []))


def test_in_a_session_too_a_header_says_what_the_body_does():
    with pytest.raises(Refused):
        parse({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}}, JSON | {"mcp-name": "b"})


# -- beside the official SDK ------------------------------------------------------------------------------------

names = st.sampled_from(["a__b", "a__c", "", "\u00e4", " a", "=?base64?YQ==?=", "x" * 70])
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names
headers_of = st.fixed_dictionaries(
    {},
    optional={
        "mcp-protocol-version": st.sampled_from(["2026-07-28", "2025-11-25", "2027-01-01", ""]),
        "mcp-method": st.sampled_from(["tools/call", "tools/list", "prompts/get", "resources/read", ""]),
        "mcp-name": names.map(encode_header_value) | st.sampled_from(["=?base64?YQ=?=", "=?base64?YR==?=", "a__b"]),
    },
)
metas = st.fixed_dictionaries(
    {},
    optional={
        VERSION: st.sampled_from(["2026-07-28", "2025-11-25", "2027-01-01", 7, None]),
        CAPABILITIES: st.just({}) | values,
    },
)
bodies = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers() | st.text(max_size=3),
        "method": st.sampled_from(["tools/call", "tools/list", "prompts/get", "resources/read", "ping"]),
    },
    optional={"params": st.fixed_dictionaries({}, optional={"name": values, "uri": values, "_meta": metas})},
)


@given(bodies, headers_of)
def test_what_is_served_here_the_sdk_serves_alike(body: dict[str, Any], headers: dict[str, str]):
    try:
        message = parse(body, JSON | headers)
    except Refused:
        return
    if message.era == "modern":
        assert isinstance(classify_inbound_request(body, headers=headers), InboundModernRoute)


@given(bodies, headers_of)
def test_what_the_sdk_serves_is_served_here(body: dict[str, Any], headers: dict[str, str]):
    if not isinstance(classify_inbound_request(body, headers=headers), InboundModernRoute):
        return
    capabilities = body["params"]["_meta"][CAPABILITIES]
    try:
        assert parse(body, JSON | headers).era == "modern"
    except Refused:
        assert not isinstance(capabilities, dict) or has_odd_name(body, headers)


def has_odd_name(body: dict[str, Any], headers: dict[str, str]) -> bool:
    """The SDK lets a header pass whose body names nothing; here it is one that says something else."""
    key = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(body["method"], "")
    return "mcp-name" in headers and body["params"].get(key) is None


@given(st.text(max_size=20))
def test_values_of_header_fields_are_written_as_the_sdk_writes_them(text: str):
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    assert encode_value(text) == encode_header_value(text)
    assert decode_value(encode_value(text)) == text
    if text.isascii():  # the SDK's reading raises else
        assert decode_value(f"=?base64?{text}?=") == decode_header_value(f"=?base64?{text}?=")


# -- byte for byte ------------------------------------------------------------------------------------------------


documents = st.recursive(
    values | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), documents, max_size=4), st.sampled_from([None, 1]))
def test_parts_are_found_where_they_stand(document: dict[str, Any], indent: int | None):
    text = json.dumps(document, indent=indent)
    whole = read_value(text)
    members = read_members(text, whole)
    assert {name: json.loads(text[part.start : part.end]) for name, part in members.items()} == document
    for part in members.values():
        if isinstance(part.value, list):
            assert [json.loads(text[each.start : each.end]) for each in read_elements(text, part)] == part.value
    changed = replace_parts(text, whole, [(part, "0") for part in members.values()])
    assert json.loads(changed) == dict.fromkeys(document, 0)


def test_only_the_name_changes_on_the_way():
    raw = b'{"jsonrpc" : "2.0","id":1, "method":"tools\\/call","params":{"arguments":{"x":1.50},"name":"a__b" }}'
    message = parse(raw, JSON)
    body = request_body(message, [(message.params["name"], '"b"')], id=None, modern=False)
    assert body == raw.replace(b'"a__b"', b'"b"')


def test_the_envelope_comes_and_goes():
    message = parse(CALL)
    told = json.loads(request_body(message, [], id="there", modern=False))
    assert told["params"]["_meta"] == {}
    assert told["id"] == "there"
    for params in ({"name": "a", "_meta": {"progressToken": 7}}, {"name": "a"}, {}, None):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"} | ({} if params is None else {"params": params})
        told = json.loads(request_body(parse(body, JSON), [], id=None, modern=True))
        meta = told["params"]["_meta"]
        assert (meta[VERSION], meta[CAPABILITIES]) == ("2026-07-28", {})
        assert meta.get("progressToken") == ((params or {}).get("_meta") or {}).get("progressToken")
        assert told["params"].get("name") == (params or {}).get("name")


def test_answers_in_the_words_of_the_other_era():
    there = '{"jsonrpc":"2.0","id":"there","result":{"content":[{"n":1.50}]}}'
    text, code = answer_for_modern(there, method="tools/call", id=1)
    assert code is None
    assert text == '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"n":1.50}]}}'
    text, _ = answer_for_modern('{"jsonrpc":"2.0","id":1,"result":{}}', method="resources/read", id=1)
    assert json.loads(text)["result"] == {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    text, code = answer_for_modern('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":""}}', method="a", id=2)
    assert (json.loads(text)["id"], code) == (2, -32601)
    there = '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","a":1.50,"ttlMs":1,"cacheScope":"private"}}'
    assert answer_for_sessions(there, id="x") == '{"jsonrpc":"2.0","id":"x","result":{"a":1.50}}'


@pytest.mark.parametrize("text", ["[]", "{}", '{"id":1,"result":[]}', '{"id":1,"id":2,"result":{}}', "x"])
def test_an_answer_that_cannot_be_read_is_not_put_in_other_words(text: str):
    with pytest.raises(ValueError, match=r"."):
        answer_for_modern(text, method="tools/call", id=1)
    with pytest.raises(ValueError, match=r"."):
        answer_for_sessions(text, id=1)


fragments = st.sampled_from(["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", " ", "null", '"', "\n", "tru", "-"])


@given(st.lists(fragments, max_size=14).map("".join))
def test_what_is_json_here_is_json_everywhere(text: str):
    try:
        expected: Any = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read_object(text)
        return
    try:
        found = read_object(text)
    except TwiceError:
        return
    if found is None:
        assert not isinstance(expected, dict)
        return
    assert {name: part.value for name, part in found[1].items()} == expected
