"""Streams come as they are made, end with whoever leaves first, and half of one is never taken for a whole."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from tests.proxy.conftest import ScriptedServer, begin, read

SSE = [("content-type", "text/event-stream"), ("cache-control", "no-cache")]


class Pulse:
    """Lets the test say when the server, in a thread and loop of its own, goes on."""

    def __init__(self) -> None:
        self._semaphore = threading.Semaphore(0)
        self.left = threading.Event()

    def go(self) -> None:
        self._semaphore.release()

    async def wait(self) -> None:
        await asyncio.to_thread(self._semaphore.acquire)


async def seen(event: threading.Event) -> bool:
    return await asyncio.to_thread(event.wait, 60)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_event_comes_before_the_next_is_made(alice, opened: str, scripted: ScriptedServer, method: str):
    pulse = Pulse()

    async def script(_scope, receive, send):
        await read(receive)
        await begin(send, 200, SSE)
        for number in range(20):
            await pulse.wait()
            event = f"id: {number}\ndata: {{}}\n\n".encode()
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    scripted.script = script
    async with alice.stream(method, opened) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        events = answer.aiter_raw()
        for number in range(20):
            pulse.go()
            assert await anext(events) == f"id: {number}\ndata: {{}}\n\n".encode()
        assert await anext(events, None) is None


async def _until_left(pulse: Pulse, receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    pulse.left.set()


@pytest.mark.parametrize("begun", [True, False])
async def test_a_caller_who_leaves_closes_the_server_side(alice, opened: str, scripted: ScriptedServer, begun: bool):
    pulse, asked = Pulse(), threading.Event()

    async def script(_scope, receive, send):
        await read(receive)
        asked.set()
        if begun:
            await begin(send, 200, SSE)
            await send({"type": "http.response.body", "body": b": hi\n\n", "more_body": True})
        await _until_left(pulse, receive)

    scripted.script = script

    async def call() -> None:
        async with alice.stream("POST", opened, content=b"{}") as answer:
            pieces = answer.aiter_raw()
            await anext(pieces)
            await asyncio.Event().wait()  # and holds on to the stream, which would end with its last reader

    task = asyncio.create_task(call())
    assert await seen(asked)
    assert not pulse.left.is_set()
    task.cancel()
    await asyncio.wait({task})
    assert await seen(pulse.left)


async def test_a_caller_who_leaves_in_the_middle_of_an_upload_closes_the_server_side(alice, opened: str, scripted):
    pulse, asked = Pulse(), threading.Event()

    async def script(_scope, receive, _send):
        await receive()
        asked.set()
        await _until_left(pulse, receive)

    async def body():
        yield b"a" * 200_000
        await asyncio.Event().wait()

    scripted.script = script
    task = asyncio.create_task(alice.post(opened, content=body()))
    assert await seen(asked)
    task.cancel()
    await asyncio.wait({task})
    assert await seen(pulse.left)


def breaks_off(headers):
    async def script(_scope, receive, send):
        await read(receive)
        await begin(send, 200, headers)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ConnectionAbortedError

    return script


@pytest.mark.parametrize("headers", [[("content-length", "8")], [("content-type", "text/plain")], []])
@pytest.mark.filterwarnings("ignore")
async def test_half_an_answer_is_never_taken_for_a_whole(alice, opened: str, scripted: ScriptedServer, headers):
    scripted.script = breaks_off(headers)
    with pytest.raises(httpx.RemoteProtocolError):
        await alice.get(opened)


@pytest.mark.filterwarnings("ignore")
async def test_half_a_message_is_told_from_a_whole_before_anything_passes(alice, opened: str, scripted: ScriptedServer):
    scripted.script = breaks_off([("content-type", "application/json")])
    answer = await alice.get(opened)
    assert (answer.status_code, answer.json()["cause"]) == (502, "provider-unreachable")


async def test_an_event_stream_that_breaks_off_just_ends(alice, opened: str, scripted: ScriptedServer):
    pulse = Pulse()

    async def script(_scope, receive, send):
        await read(receive)
        await begin(send, 200, SSE)
        await send({"type": "http.response.body", "body": b"data: 1\n\ndata: ha", "more_body": True})
        await pulse.wait()
        raise ConnectionAbortedError

    scripted.script = script
    async with alice.stream("GET", opened) as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"
        pulse.go()
        assert await anext(pieces, None) is None


async def test_a_server_that_answers_before_the_body_has_ended(alice, opened: str, scripted: ScriptedServer):
    """The MCP server may start its answer while it still reads."""
    pulse = Pulse()

    async def script(_scope, receive, send):
        await receive()
        await begin(send, 200, SSE)
        await send({"type": "http.response.body", "body": b"data: early\n\n", "more_body": True})
        pulse.left.set()
        rest = await read(receive)
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % len(rest)})

    async def body():
        yield b"a" * 200_000
        assert await seen(pulse.left)
        yield b"b" * 10

    scripted.script = script
    answer = await alice.post(opened, content=body())
    assert answer.content.startswith(b"data: early\n\n")
