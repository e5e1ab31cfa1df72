"""A Redis that stood still: what callers were told to be undone is not done when it goes on."""

import ast
import asyncio
import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import latchpin_redis_store
import pytest
from latchpin.errors import BackendUnavailable, LatchpinError
from latchpin.model import CollectionSpec, Document
from latchpin_redis_store import connection, document_scripts, scripts
from latchpin_testing import MovedClock, samples
from redis.asyncio import Redis

from tests.redis_store.test_layout import opened

NOW = MovedClock()()
SOON = NOW + timedelta(minutes=5)

GATEWAY = samples.gateway(NOW)
PENDING = samples.pending_authorization(NOW)
TOKEN = samples.stored_token(NOW, gateway_id=GATEWAY.id)
CLIENT = samples.registered_client(NOW, gateway_id=GATEWAY.id)
THINGS = CollectionSpec("things", ("owner",))


def _newer(record, **changes):

    return replace(record, revision=record.revision + 1, **changes)


# Each write of the contracts, on what ``filled`` has kept.
WRITES = {
    "states.put": lambda states, _: states.put(samples.pending_authorization(NOW)),
    "states.consume": lambda states, _: states.consume(PENDING.key),
    "gateways.put": lambda _, records: records.gateways.put(samples.gateway(NOW)),
    "gateways.replace": lambda _, records: records.gateways.replace(_newer(GATEWAY, name="renamed")),
    "gateways.delete": lambda _, records: records.gateways.delete(GATEWAY.id),
    "tokens.put": lambda _, records: records.tokens.put(_newer(TOKEN), replacing=TOKEN),
    "tokens.delete": lambda _, records: records.tokens.delete(GATEWAY.id, TOKEN.app_user_email),
    "tokens.delete_all": lambda _, records: records.tokens.delete_all(GATEWAY.id),
    "clients.put": lambda _, records: records.clients.put(
        samples.registered_client(NOW, gateway_id=GATEWAY.id, issuer="https://other.example")
    ),
    "documents.put": lambda _, records: records.collection(THINGS).put(Document("new", {})),
    "documents.take": lambda _, records: records.collection(THINGS).take("ticket"),
    "documents.delete": lambda _, records: records.collection(THINGS).delete("other"),
}


@pytest.fixture
async def filled(redis_url):
    async with opened(redis_url) as (states, records):
        await states.put(PENDING)
        await records.gateways.put(GATEWAY)
        await records.tokens.put(TOKEN, replacing=None)
        await records.clients.put(CLIENT)
        for name in ("ticket", "other"):
            await records.collection(THINGS).put(Document(name, {}, {"owner": "ada"}, expires_at=SOON))
        yield states, records


async def held(url):
    async with Redis.from_url(url) as client:
        return {key: await client.dump(key) async for key in client.scan_iter()}


async def test_a_write_that_was_told_to_be_undone_is_not_done_afterwards(filled, redis_url, redis_server, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", math.inf)  # or the commands would not even be sent
    before = await held(redis_url)
    with redis_server.paused():
        results = await asyncio.gather(*(write(*filled) for write in WRITES.values()), return_exceptions=True)
    assert {name: type(result) for name, result in zip(WRITES, results, strict=True)} == dict.fromkeys(
        WRITES, BackendUnavailable
    )
    async with Redis.from_url(redis_url) as client:
        counted = (await client.info("errorstats"))[f"errorstat_{scripts.LATE}"]["count"]
    assert counted == len(WRITES), "each of them did arrive, and was refused for its time alone"
    assert await held(redis_url) == before
    monkeypatch.undo()
    for name, write in WRITES.items():
        try:
            await write(*filled)
        except BackendUnavailable as exc:
            pytest.fail(f"{name}, asked again: {exc}")
        except LatchpinError:
            assert name.startswith(("tokens", "clients")), "its gateway was removed by a row before"


async def test_a_clock_that_is_set_forward_there_costs_nobody_a_write(filled, redis_url):
    """What the store took for the time there is two minutes old: it is told so, and asks again."""
    states, records = filled
    await records.gateways.list()
    states._commands._ahead -= 120_000_000
    assert await states.consume(PENDING.key) == PENDING
    async with Redis.from_url(redis_url) as client:
        assert (await client.info("errorstats"))[f"errorstat_{scripts.LATE}"]["count"] == 1


async def test_to_wait_for_ones_turn_is_no_silence(redis_url, redis_server):
    async with opened(redis_url) as (states, _):
        commands = states._commands
        silent = commands.silence()
        assert not silent(), "nobody asked"
        with redis_server.paused():
            asked = asyncio.create_task(commands.ask("TIME"))
            while not commands._asking:  # noqa: ASYNC110  it is one round away
                await asyncio.sleep(0)
            assert silent()
        await asked
        assert not silent(), "it answered"


HARMLESS = {
    "CLUSTER", "ASKING", "GET", "HGET", "HVALS", "HKEYS", "HMGET", "HGETALL", "SCAN", "TIME", "INFO", "WAIT",
    "ZCOUNT", "ZCARD", "ZRANGEBYSCORE", "ZLEXCOUNT", "ZRANGEBYLEX", "ZREVRANGEBYLEX", "LRANGE", "PEXPIRE",
    "SET",  # the probe's, and the name of the data, which whoever comes first gives
    "EXISTS", "ZRANGE", "HSETNX", "ZADD",  # of what one server kept: what stands already is left as it is
    "UNLINK", "ZREM",  # of what is over, or was asked to be thrown away as a whole
}  # fmt: skip
"""What may be carried out late."""


def test_what_could_do_harm_late_is_a_script_that_looks_at_the_time():
    folder = Path(latchpin_redis_store.__file__).parent
    asked: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            words = (
                node.args[:1] if isinstance(node, ast.Call) else node.elts[:1] if isinstance(node, ast.Tuple) else []
            )
            asked |= {word.value for word in words if isinstance(word, ast.Constant) and str(word.value).isupper()}
    assert asked - HARMLESS == {"EVAL", "PING"}
    known = vars(scripts) | vars(document_scripts)
    whole = [text for name, text in known.items() if name[0].isupper() and name.isupper() and "redis.call" in str(text)]
    assert len(whole) > 10
    assert all(text.startswith(scripts._DEADLINE) for text in whole)
