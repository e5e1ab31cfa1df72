"""A call is told once, with what it was and what became of it, whatever its message and its answer look like."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from latchpin.contracts import McpCall
from latchpin.errors import BackendUnavailable
from latchpin.model import Caller
from latchpin_mcp.call_reading import LONGEST, AnswerReading, read_message
from latchpin_mcp.calls import SOON, CallObservers, NotKept
from latchpin_testing import samples

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ALICE = Caller("alice@example.com")
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]


class Listener:
    """Notes what it is told; ``waits`` is what it has the answer wait for."""

    sees_all = follows = False
    at_once = True

    def __init__(self, waits=None):
        self.begun, self.told, self._waits = [], [], waits

    def begin(self, call):
        self.begun.append(call.method)

        def end():
            self.told.append((call.method, call.name, call.outcome, call.error))
            return None if self._waits is None else self._waits()

        return end


class Wire:
    """The caller's side."""

    def __init__(self):
        self.got = []

    async def send(self, message):
        self.got.append(message)


def watch(*listeners, side="server"):
    wire = Wire()
    observers = CallObservers({f"listener {n}": each for n, each in enumerate(listeners)})
    return observers.watch(McpCall(side, ALICE), wire.send), wire


def message(method="tools/call", **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


async def answer(watched, *pieces, status=200, headers=JSON):
    await watched.send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        await watched.send({"type": "http.response.body", "body": piece, "more_body": True})
    await watched.send({"type": "http.response.body", "body": b""})


def result(**members):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": members}).encode()


def event(raw, name="message"):
    return f"event: {name}\n".encode() + b"data: " + raw + b"\n\n"


@pytest.mark.parametrize(
    ("body", "method", "name"),
    [
        (message(name="shout"), "tools/call", "shout"),
        (message("prompts/get", name="greet"), "prompts/get", "greet"),
        (message("resources/read", uri="note://one"), "resources/read", "note://one"),
        (message("completion/complete", ref={"type": "ref/prompt", "name": "greet"}), "completion/complete", "greet"),
        (message("completion/complete", ref={"uri": "note://{x}"}), "completion/complete", "note://{x}"),
        (message("tools/list", name="not one's name"), "tools/list", ""),
        (message(name=7), "tools/call", ""),
        (b'{"method":"ping","id":1}', "ping", ""),
        (b'{"method":"tools/call","id":1,"params":[]}', "tools/call", ""),
        (b'{"result":{},"id":1}', "(answer)", ""),
        (b'{"method":7,"id":1}', "(unread)", ""),
        (b'{"Method":"tools/call","id":1,"params":{"name":"a"}}', "(unread)", ""),
        (b'{"method":"tools/list","Method":"tools/call","id":1}', "(ambiguous)", ""),
        (message(name="a")[:-2] + b',"arguments":{"b":"\xff"}}}', "tools/call", "a"),
        (b"[" + message(name="a") + b"," + message("tools/list") + b"]", "(batch)", "tools/call a, tools/list"),
        (b'{"method":"tools/list","method":"tools/call","id":1}', "(ambiguous)", ""),
        (b'{"method":"tools/list","metho\\u0064":"tools/call","id":1}', "(ambiguous)", ""),
        (message(name="a")[:-2] + b',"name":"b"}}', "(ambiguous)", ""),
        (message(name="a", arguments={"name": "b", "method": "c"}), "tools/call", "a"),
        (b"7", "(unread)", ""),
        (b"\xef\xbb\xbf " + message(name="a"), "tools/call", "a"),
        (b"\0{\xff", "(unread)", ""),
        ("{}".encode("utf-16"), "(unread)", ""),
        (b"{", "(unread)", ""),
        (b"[" * 100_000, "(unread)", ""),
        (None, "(unread)", ""),
    ],
)
def test_a_message_is_read_as_far_as_it_is_told(body, method, name):
    read = read_message(body)
    assert (read.method, read.name) == (method, name)


@pytest.mark.parametrize("name", ["n" * 1_000_000, "\ud800", "nul\0", "\U0001f600" * 400])
def test_no_name_is_too_long_or_unfit_for_a_store(name):
    read = read_message(message(name=name))
    assert len(read.name) < LONGEST + 30
    assert "\0" not in read.name
    read.name.encode("utf-8")


def test_the_envelope_says_version_and_trace():
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "traceparent": "00-1", "baggage": "b" * 9_000}
    read = read_message(message(name="a", _meta=meta))
    assert (read.version, dict(read.carried)) == ("2026-07-28", {"traceparent": "00-1"})
    read = read_message(message(name="a", _meta={"io.modelcontextprotocol/protocolVersion": 1, "traceparent": None}))
    assert (read.version, dict(read.carried)) == ("", {})


ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'
PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"result":1,"error":{"code":1}}}'


@pytest.mark.parametrize(
    ("status", "headers", "pieces", "told"),
    [
        (200, JSON, [result(isError=False)], ("ok", "")),
        (200, JSON, [result(isError=True)], ("tool_error", "")),
        (200, JSON, [result(content=[{"text": '"isError": true, "error": {}'}])], ("ok", "")),
        (200, JSON, [result(structuredContent={"isError": True, "error": {"code": 1}})], ("ok", "")),
        (200, JSON, [ERROR], ("error", "-32602")),
        (200, JSON, [b'{"id":1,"error":{"code":"x"}}'], ("error", "")),
        (200, JSON, [b'{"id":1,"error":"broken'], ("ok", "")),
        (200, JSON, [b"[" + result() + b"," + ERROR + b"]"], ("error", "-32602")),
        (404, JSON, [ERROR], ("error", "-32602")),
        (404, JSON, [b"not here"], ("http", "404")),
        (202, [], [], ("ok", "")),
        (200, EVENTS, [event(PROGRESS), event(result(isError=True))], ("tool_error", "")),
        (200, EVENTS, [event(PROGRESS) + event(result())], ("ok", "")),
        (200, EVENTS, [b": only a comment\n\n", event(PROGRESS)], ("broken-off", "")),
        (200, EVENTS, [event(b'{"method":1,"result":')], ("broken-off", "")),
        (200, EVENTS, [event(ERROR)], ("error", "-32602")),
    ],
)
async def test_what_became_of_it_is_read_off_the_answer(status, headers, pieces, told):
    listener = Listener()
    watched, wire = watch(listener)
    watched.read(message(name="a"))
    await answer(watched, *pieces, status=status, headers=headers)
    await watched.end()
    assert listener.told == [("tools/call", "a", *told)]
    assert b"".join(part.get("body", b"") for part in wire.got) == b"".join(pieces)
    assert watched.call.response_bytes == sum(map(len, pieces))
    assert watched.call.seconds > 0


def test_of_an_answer_that_is_too_long_to_be_read_the_status_counts():
    reading = AnswerReading()
    reading.begin(500, JSON)
    reading.feed(ERROR + b" " * 4_194_304)
    assert reading.outcome(whole=True) == ("http", "500")


async def test_an_answer_that_breaks_off_is_told_as_such_and_one_that_nobody_waits_for_as_cancelled():
    listener = Listener()
    watched, wire = watch(listener)
    watched.read(message(name="a"))
    await watched.send({"type": "http.response.start", "status": 200, "headers": JSON})
    assert wire.got == []  # it comes with the body
    await watched.send({"type": "http.response.body", "body": b"{", "more_body": True})
    await watched.end()
    await watched.end()
    watched, _ = watch(listener)
    watched.read(message(name="b"))

    async def receive():
        return {"type": "http.disconnect"}

    await watched.noting(receive)()
    watched.mark("refused", "later-word")
    await watched.end()
    assert [each[1:] for each in listener.told] == [("a", "broken-off", ""), ("b", "cancelled", "")]


async def test_what_was_refused_before_it_was_read_is_told_and_what_never_went_on_is_not():
    listener = Listener()
    watched, _ = watch(listener)
    watched.mark("refused", "too-many-exchanges")
    await answer(watched, b"{}", status=429)
    assert listener.told == [("(unread)", "", "refused", "too-many-exchanges")]
    watched, _ = watch(listener, side="client")
    await watched.end()
    assert len(listener.told) == 1


async def test_the_end_of_an_answer_waits_for_who_has_to_keep_the_call():
    kept = []

    async def keep():
        kept.append(list(wire.got))

    watched, wire = watch(Listener(keep))
    watched.read(message(name="a"))
    await watched.send({"type": "http.response.start", "status": 200, "headers": EVENTS})
    await watched.send({"type": "http.response.body", "body": event(PROGRESS), "more_body": True})
    before = list(wire.got)
    await watched.send({"type": "http.response.body", "body": event(result()), "more_body": True})
    await watched.send({"type": "http.response.body", "body": b""})
    assert kept == [before]


async def test_where_the_call_cannot_be_kept_its_answer_is_not_given():
    async def fail():
        raise BackendUnavailable("no disk")

    watched, wire = watch(Listener(fail))
    watched.read(message(name="a"))
    with pytest.raises(BackendUnavailable):
        await answer(watched, result(secret="s"))
    assert wire.got == []
    await answer(watched, b"instead", status=503)
    assert [part.get("status", part.get("body")) for part in wire.got] == [503, b"instead", b""]
    watched, wire = watch(Listener(fail))
    watched.read(message(name="a"))
    with pytest.raises(NotKept):
        await answer(watched, event(result(secret="s")), headers=EVENTS)
    assert [part["type"] for part in wire.got] == ["http.response.start"]
    watched, _ = watch(Listener(fail))
    await watched.end()  # there is nobody who could be told


async def test_where_one_cannot_keep_the_call_the_others_are_told_of_its_end_all_the_same():
    kept = []

    async def fail():
        raise BackendUnavailable("no disk")

    async def keep():
        kept.append("kept")

    first, second, failing = Listener(), Listener(keep), Listener(fail)
    watched, _ = watch(first, second, failing)
    watched.read(message(name="a"))
    with pytest.raises(BackendUnavailable):
        await answer(watched, result())
    await watched.end()
    assert [len(each.told) for each in (first, second, failing)] == [1, 1, 1]
    assert kept == ["kept"]


async def test_where_nobody_has_to_know_at_once_calls_are_told_together():
    listener = Listener()
    listener.at_once = False
    wire, observers = Wire(), CallObservers({"patient": listener})
    for name, body in (("a", result()), ("b", ERROR), ("c", result())):
        watched = observers.watch(McpCall("server", ALICE), wire.send)
        watched.read(message(name=f"slug__{name}"))
        watched.found(samples.gateway(NOW), name)
        await answer(watched, body)
        await watched.end()
        assert listener.begun == []
    watched = observers.watch(McpCall("server", ALICE), wire.send)
    watched.read(message(name="large", filler="x" * SOON))  # not kept until then
    await watched.end()
    assert listener.told == [("tools/call", "large", "broken-off", "")]
    observers.tell()
    observers.tell()
    assert [each[1:3] for each in listener.told[1:]] == [("a", "ok"), ("b", "error"), ("c", "ok")]


async def test_header_fields_say_the_session_and_the_version_where_the_message_does_not():
    told = []

    class Reads(Listener):
        def begin(self, call):
            told.append((call.session, call.version))

    fields = [(b"mcp-session-id", b"s"), (b"mcp-protocol-version", b"2025-11-25"), (b"accept", b"a")]
    observers = CallObservers({"reads": Reads()})
    observers.watch(McpCall("server", ALICE), Wire().send, fields).read(message())
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    observers.watch(McpCall("server", ALICE), Wire().send, fields).read(message(_meta=meta))
    assert told == [("s", "2025-11-25"), ("s", "2026-07-28")]


async def test_an_observer_that_fails_disturbs_nobody(caplog):
    class Broken:
        at_once = sees_all = follows = True

        def begin(self, call):
            if call.name == "a":
                raise ValueError("at the beginning")

            def end():
                raise ValueError("at the end")

            return end

    class Deaf(Listener):
        def begin(self, call):
            return None

    listener = Listener()
    with caplog.at_level(logging.ERROR):
        for name in ("a", "b"):
            watched, wire = watch(Broken(), Deaf(), listener)
            watched.read(message(name=name))
            await answer(watched, result())
            assert len(wire.got) == 3
    assert [told[1] for told in listener.told] == ["a", "b"]
    assert sum("listener 0 failed" in each.message for each in caplog.records) == 2
    observers = CallObservers({"broken": Broken()})
    assert (bool(observers), observers.sees_all, observers.follows) == (True, True, True)
    assert not CallObservers()
