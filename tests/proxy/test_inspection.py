"""Answers are looked at message by message, however they are cut, and pass as soon as a message is whole."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import AsyncIterator

import pytest
from latchpin.outbound.failure import Failure
from latchpin_proxy.bindings import Binder
from latchpin_proxy.inspection import MOST_HELD, inspect
from latchpin_proxy.messages import Terms
from latchpin_proxy.room import Room, Share

BINDER = Binder((b"k" * 32,), ("a" * 32, "https://mcp.example.com/mcp", "alice@example.com"))
TERMS = Terms(BINDER, "Weather", "https://mcp.example.com/mcp", "https://gateway.example.com", private=True)
STREAM = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json")]
LIST = b'{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","tools":[]}}'
OWN = b'{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","tools":[]}}'
PLAIN = b'{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}'
IMITATION = json.dumps(
    {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create", "params": {"url": "https://gateway.example.com/x"}}
).encode()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def through(
    fields: list[tuple[bytes, bytes]], *parts: bytes, share: Share | None = None
) -> tuple[dict[bytes, bytes], list[bytes]]:
    told, body = await inspect(fields, pieces(*parts), TERMS, share or Share(Room()))
    if isinstance(body, bytes):
        return dict(told), [body] if body else []
    return dict(told), [piece async for piece in body]


async def test_a_body_that_came_whole_is_inspected_like_one_in_pieces():
    fields = [*JSON, (b"content-length", b"%d" % len(LIST)), (b"x-more", b"1")]
    share = Share(Room(len(LIST)))
    assert await inspect(fields, LIST, TERMS, share) == await inspect(fields, pieces(LIST), TERMS, share)
    with pytest.raises(Failure, match="too much"):
        await inspect(fields, LIST, TERMS, Share(Room(len(LIST) - 1)))
    coded = [*JSON, (b"content-encoding", b"gzip")]
    assert (await inspect(coded, gzip.compress(LIST), TERMS, share))[1] == OWN
    events = (await inspect(STREAM, b"data: " + LIST + b"\n\n", TERMS, share))[1]
    assert [event async for event in events] == [b"data: " + OWN + b"\n\n"]
    assert (await inspect([], LIST, TERMS, share))[1] == OWN


EVENTS = [
    # an event stream, and what becomes of it
    (b"data: " + PLAIN + b"\n\n", None),
    (b": ping\n\n", None),
    (b"id: 1\nretry: 5\ndata:\n\n", None),
    (b"event: message\r\nid: 1\r\ndata: " + PLAIN + b"\r\n\r\n", None),
    (b"\xef\xbb\xbfdata: " + PLAIN + b"\n\n", None),
    (b"data: " + OWN + b"\n\n", None),
    (b"\n\n\ndata: " + PLAIN, None),
    (b"", None),
    (b"data: " + LIST + b"\n\n", b"data: " + OWN + b"\n\n"),
    (b"data:" + LIST + b"\r\r", b"data: " + OWN + b"\n\n"),
    (b"id: 7\nevent: message\ndata: " + LIST + b"\n\n", b"id: 7\nevent: message\ndata: " + OWN + b"\n\n"),
    (b"id: 7\r\ndata: " + LIST + b"\r\n\r\n: a\r\n\r\n", b"id: 7\ndata: " + OWN + b"\n\n: a\r\n\r\n"),
    (b"data: " + LIST.replace(b",", b",\ndata: ") + b"\n\n", b"data: " + OWN + b"\n\n"),
    (b"\xef\xbb\xbfdata: " + LIST + b"\n\n", b"data: " + OWN + b"\n\n"),
    (b"data: " + LIST, b"data: " + OWN + b"\n\n"),  # without its blank line
    (b"data: " + IMITATION + b"\n\ndata: " + PLAIN + b"\n\n", b"data: " + PLAIN + b"\n\n"),
    (b'data: {"cacheScope":"public"\n\ndata: ' + PLAIN + b"\n\n", b"data: " + PLAIN + b"\n\n"),  # not JSON
]


@pytest.mark.parametrize(("sent", "passed"), EVENTS)
async def test_events(sent: bytes, passed: bytes | None):
    whole = await through(STREAM, sent)
    assert b"".join(whole[1]) == (sent if passed is None else passed)
    single = await through(STREAM, *(bytes([byte]) for byte in sent))
    assert one_by_one(single[1]) == one_by_one(whole[1])
    for cut in range(1, len(sent)):
        assert one_by_one((await through(STREAM, sent[:cut], sent[cut:]))[1]) == one_by_one(whole[1]), cut


def one_by_one(body: list[bytes]) -> list[bytes]:
    """The events: how many line ends are between two of them says nothing."""
    return re.split(rb"\n{2,}", re.sub(rb"\r\n|\r", b"\n", b"".join(body)).strip(b"\n"))


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\n\n"])
async def test_an_event_passes_when_it_is_whole_and_not_before(end: bytes):
    reached = 0

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal reached
        for number, piece in enumerate((b"data: " + PLAIN, end, b"data: ", PLAIN + end)):
            reached = number
            yield piece

    _, body = await inspect(STREAM, slowly(), TERMS, Share(Room()))
    assert not isinstance(body, bytes)
    assert await anext(body) == b"data: " + PLAIN + end
    assert reached == 1
    assert await anext(body) == b"data: " + PLAIN + end
    assert reached == 3


async def test_json_is_written_anew_with_its_new_length():
    told, body = await through([*JSON, (b"content-length", b"%d" % len(LIST))], LIST[:9], LIST[9:])
    assert b"".join(body) == OWN
    assert told[b"content-length"] == b"%d" % len(OWN)
    told, body = await through(JSON, PLAIN)
    assert (b"".join(body), told[b"content-length"]) == (PLAIN, b"%d" % len(PLAIN))
    assert (await through(JSON))[1] == []


@pytest.mark.parametrize(
    "kind", [b"application/json; charset=utf-8", b"Application/JSON", b"text/plain, application/json"]
)
async def test_whatever_some_client_takes_for_json_is_looked_at(kind: bytes):
    assert b"".join((await through([(b"content-type", kind)], LIST))[1]) == OWN


async def test_other_bodies_pass_as_they_are():
    fields = [(b"content-type", b"text/plain"), (b"content-encoding", b"br"), (b"content-length", b"3")]
    assert await through(fields, b"\0", LIST) == (dict(fields), [b"\0", LIST])
    for body in ([b"Not found: ", LIST], [b" \r\n", b"<html>", LIST], [b"\n"], []):
        assert await through([(b"content-type", b"text/html")], *body) == (
            {b"content-type": b"text/html"},
            [b"".join(body[:2]), *body[2:]] if body and not body[0].strip() else body,
        )
    coded = [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip")]
    assert await through(coded, gzip.compress(b"Not found")) == (dict(coded), [gzip.compress(b"Not found")])


@pytest.mark.parametrize(
    "kind", [[], [(b"content-type", b"text/plain")], [(b"content-type", b"application/octet-stream")]]
)
@pytest.mark.parametrize("before", [[], [b"\xef\xbb\xbf"], [b" ", b"\r\n" * 100_000]])
@pytest.mark.parametrize("encode", [None, gzip.compress])
async def test_json_by_another_name_is_looked_at(kind, before: list[bytes], encode):
    """Some clients do not look at the type; a server must not choose what is looked at."""
    if encode is None:
        told, body = await through([*kind, (b"content-length", b"1")], *before, LIST)
    else:
        told, body = await through([*kind, (b"content-encoding", b"gzip")], encode(b"".join([*before, LIST])))
    assert b"".join(body) == OWN
    assert told.get(b"content-encoding") is None
    assert told[b"content-length"] == str(len(OWN)).encode()


@pytest.mark.parametrize(
    ("encoding", "encode"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"utf-8", bytes)]
)
async def test_what_is_encoded_is_looked_at_all_the_same(encoding: bytes, encode):
    told, body = await through([*JSON, (b"content-encoding", encoding)], encode(LIST))
    assert b"".join(body) == OWN
    assert b"content-encoding" not in told
    told, body = await through([*STREAM, (b"content-encoding", encoding)], encode(b"data: " + LIST + b"\n\n"))
    assert b"".join(body) == b"data: " + OWN + b"\n\n"
    assert b"content-encoding" not in told


BROKEN = [
    ([*JSON, (b"content-encoding", b"br")], b"\x0b\x02\x80", "an encoding that was not asked for"),
    ([*JSON, (b"content-encoding", b"gzip")], b"\x1f\x8b\x08", "cut short"),
    (JSON, '{"result":{"cacheScope":"public"}}'.encode("utf-16"), "some clients guess UTF-16"),
    (JSON, b'{"result":{"cacheScope":"public"}', "not JSON"),
    ([], '{"result":{"cacheScope":"public"}}'.encode("utf-16"), "the same by no name"),
    ([], '{"result":{"cacheScope":"public"}}'.encode("utf-16-be"), "the same without its mark"),
    ([], b" " * (MOST_HELD + 1), "nothing but blanks"),
    ([*JSON, *STREAM], LIST, "clients differ in what they take it for"),
    ([(b"content-type", b"application/json, text/event-stream")], LIST, "the same in one line"),
]


@pytest.mark.parametrize(("fields", "body", "why"), BROKEN)
async def test_what_cannot_be_looked_at_does_not_pass(fields, body: bytes, why: str):
    with pytest.raises(Failure):
        await through(fields, body)
    assert why


PIECE = b"a" * 65_536
LONG = MOST_HELD // len(PIECE) + 2


@pytest.mark.parametrize("fields", [STREAM, JSON])
async def test_what_is_too_long_to_be_held_passes_in_pieces(fields):
    head, end = (b"data: ", b"\n\n") if fields is STREAM else (b'"', b'"')
    told, body = await through([*fields, (b"content-length", b"1")], head, *[PIECE] * LONG, end)
    assert b"".join(body) == head + PIECE * LONG + end
    assert len(body) > 2
    assert b"content-length" not in told


@pytest.mark.parametrize("fields", [STREAM, JSON])
@pytest.mark.parametrize("cut", range(0, len(b'"cacheScope":"public"'), 4))
async def test_what_is_too_long_and_would_have_to_be_read_breaks_off(fields, cut: int):
    word = b'"cacheScope":"public"'
    with pytest.raises(Failure, match="has to be read is longer"):
        await through(fields, b"data: ", *[PIECE] * LONG, word[:cut], word[cut:], PIECE)


IN_A_TEXT = [
    b"an elicitation/create here",
    b'the member \\"cacheScope\\": \\"public\\"',
    b"https://github.com/login?return_to=a",
    b"https://github.com/login/oauth/authorize?client_id=a",
]


@pytest.mark.parametrize("text", IN_A_TEXT)
async def test_a_long_text_may_speak_of_anything(text: bytes):
    sent = [b'{"text":"', *[PIECE] * LONG, text, b'"}']
    assert b"".join((await through(JSON, *sent))[1]) == b"".join(sent)


HIDDEN = [
    b'"elicitation/create"',
    b'"elicitation\\/create"',
    b'"request\\u0053tate"',
    b"https://evil.example/oauth/authorize/0123456789abcdef0123456789abcdef",
    b"https:\\/\\/evil.example\\/login?a=b&token=1",
]


@pytest.mark.parametrize("sign", HIDDEN)
async def test_a_long_message_hides_nothing(sign: bytes):
    with pytest.raises(Failure, match="has to be read is longer"):
        await through(JSON, b"[", *[PIECE] * LONG, sign[:-6], sign[-6:], b"]")


async def test_after_a_long_event_the_next_is_read_again():
    long = b"data: " + PIECE * LONG + b"\n\n"
    _, body = await through(STREAM, long[:-1], long[-1:] + b"data: " + LIST, b"\n\n")
    assert b"".join(body) == long + b"data: " + OWN + b"\n\n"


@pytest.mark.parametrize("fields", [STREAM, JSON])
async def test_all_answers_together_hold_no_more_than_there_is_room_for(fields):
    room = Room(100_000)
    first, second = Share(room), Share(room)
    first.hold(60_000)
    with pytest.raises(Failure, match="held at once"):
        await through(fields, b"data: ", PIECE, b"\n\n", share=second)
    first.hold(0)
    _, body = await through(fields, b"data: ", PIECE, b"\n\n", share=second)
    assert b"".join(body) == b"data: " + PIECE + b"\n\n"
    if fields is STREAM:  # passed on, so held no more
        first.hold(100_000)


LINES = b"".join(b'data: "key%d":1,\n' % number for number in range(40_000))
COSTLY = [
    (b"\n" * 4_000_000, "nothing but blank lines"),
    (b"data: {}\n\n" * 400_000, "small events"),
    (b'data: {"result":{"cacheScope":"public"},\n' + LINES + b'data: "id":1}\n\n', "lines that all differ"),
    (b'data: {"result":{"cacheScope":"public"}}\n' + LINES.replace(b"data", b"name") + b"\n", "other lines"),
    (b"data: " + b"x" * 3_000_000, "one line without an end"),
]

ENOUGH = 10.0
"""Seconds of the processor. What is linear needs some hundredths; what is not, minutes."""


@pytest.mark.parametrize(("stream", "why"), COSTLY, ids=[why for _, why in COSTLY])
async def test_length_costs_little(stream: bytes, why: str):
    """One server must not keep a worker from all the others, however it cuts its answer up."""
    parts = [stream[at : at + 65_536] for at in range(0, len(stream), 65_536)]
    begun = time.process_time()
    await through(STREAM, *parts)
    assert time.process_time() - begun < ENOUGH, why
