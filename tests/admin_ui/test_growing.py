"""Pages that grow: each piece is sent when it is told, and whatever happens behind them ends on the page."""

import asyncio
import logging
from types import SimpleNamespace

import pytest
from latchpin.errors import UpstreamUnreadable
from latchpin_admin_ui.growing import follow


@pytest.fixture
def request_():
    return SimpleNamespace(scope={})


async def test_a_piece_comes_when_it_is_told(request_):
    released = asyncio.Event()

    async def work(tell):
        tell("step", what="first")
        await released.wait()
        tell("step", what="last")

    pieces = follow(work, request_)
    assert await asyncio.wait_for(anext(pieces), 60) == ("step", {"what": "first"})
    released.set()
    assert [piece async for piece in pieces] == [("step", {"what": "last"})]


async def test_nobody_reads_any_more(request_):
    ended = asyncio.Event()

    async def work(tell):
        try:
            tell("step")
            await asyncio.Event().wait()
        finally:
            ended.set()

    pieces = follow(work, request_)
    await asyncio.wait_for(anext(pieces), 60)
    await pieces.aclose()
    await asyncio.wait_for(ended.wait(), 60)


async def test_what_was_expected_to_fail_is_explained(request_, caplog):
    async def work(tell):
        raise UpstreamUnreadable("it is no JSON")

    [(name, said)] = [piece async for piece in follow(work, request_)]
    assert name == "problem"
    assert "it is no JSON" in said["text"]
    assert said["code"] == UpstreamUnreadable.code
    [record] = caplog.records
    assert (record.levelname, record.request_id, record.exc_info) == ("WARNING", said["trace"].id, None)


async def test_what_nobody_foresaw_is_logged_and_not_shown(request_, caplog):
    async def work(tell):
        raise RuntimeError("a detail that nobody outside may see")

    with caplog.at_level(logging.ERROR):
        [(_, said)] = [piece async for piece in follow(work, request_)]
    assert "nobody outside" not in str(said)
    [record] = caplog.records
    assert record.exc_info is not None
    assert said["trace"].id in record.getMessage()
