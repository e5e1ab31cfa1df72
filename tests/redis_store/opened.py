"""Opens the Redis stores on a URL, and a relay that stands before a real server."""

import asyncio
from contextlib import asynccontextmanager

from latchpin_redis_store import plugin
from latchpin_redis_store.settings import RedisSettings
from latchpin_testing import MovedClock, SuiteContext


@asynccontextmanager
async def opened(url, *, clock=None, **settings):
    """The state store and the record store, on one connection."""
    values = RedisSettings(redis_url=url, **settings)
    states, records = plugin.latchpin_state_store(), plugin.latchpin_record_store()
    async with (
        SuiteContext(clock or MovedClock()) as context,
        states.open(values, context) as state_store,
        records.open(values, context) as record_store,
    ):
        yield state_store, record_store


async def _copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def relay_to(port):
    """A connection handler that passes everything on to a server on this machine."""

    async def handle(reader, writer):
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer), return_exceptions=True)
        for each in (writer, there_writer):
            each.close()

    return handle
