"""What is told in a program's stream beside the server's events: between them, and whatever the store says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_proxy.completing import Look, interleave

EVENT = b"data: {}\n\n"
OWN = b"data: done\n\n"


async def stream(*pieces: bytes, waits: asyncio.Event) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    await waits.wait()


def tells(*events: bytes) -> Look:
    """Look by look; nothing after that."""
    left = list(events)

    async def look() -> bytes:
        return left.pop(0) if left else b""

    return look


async def first(count: int, pieces: AsyncIterator[bytes], look: Look) -> list[bytes]:
    async with asyncio.timeout(60), aclosing(interleave(pieces, look, every=0)) as told:
        return [await anext(told) for _ in range(count)]


async def test_it_is_told_while_the_server_says_nothing():
    assert await first(1, stream(waits=asyncio.Event()), tells(b"", b"", OWN)) == [OWN]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_it_is_never_told_within_an_event(end: bytes):
    """A long event passes in pieces."""
    ended = asyncio.Event()

    async def long() -> AsyncIterator[bytes]:
        yield b"data: a"
        for _ in range(100):  # looks would come in between
            await asyncio.sleep(0)
        yield b"b"
        yield end
        await ended.wait()

    always: Look = tells(*[OWN] * 1000)
    told = b"".join(await first(50, long(), always))
    assert b"data: ab" + end in told
    assert set(told.replace(b"data: ab" + end, b"").split(b"\n\n")) == {b"data: done", b""}


async def test_a_store_that_cannot_be_asked_ends_no_stream():
    asked = 0

    async def look() -> bytes:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise BackendUnavailable("it is away")
        return OWN

    assert await first(1, stream(waits=asyncio.Event()), look) == [OWN]


async def test_the_end_of_the_stream_is_its_end_and_a_failure_too():
    over = asyncio.Event()
    over.set()
    assert [piece async for piece in interleave(stream(EVENT, EVENT, waits=over), tells())] == [EVENT, EVENT]

    async def broken() -> AsyncIterator[bytes]:
        yield EVENT
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        [piece async for piece in interleave(broken(), tells())]


async def test_nothing_is_left_behind():
    before = asyncio.all_tasks()
    await first(1, stream(EVENT, waits=asyncio.Event()), tells())
    assert asyncio.all_tasks() == before
