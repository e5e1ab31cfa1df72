"""What the guide types into Redis and into the database, with states that are fresh, used and expired."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from latchpin.contracts import StoreFacts
from latchpin_flows.inspector import open_inspector

from tests.guide import commands as guide
from tests.guide.conftest import (
    EXPIRED,
    FAILED,
    NOT_FOUND,
    STORED,
    GuidedInProcess,
    named,
    state_of,
    ways,
    without_times,
)
from tests.support.gateway_in_process import ALICE

pytestmark = pytest.mark.slow

TTL = int(guide.STATE_TTL.text.rpartition(" ")[2])
GRACE = 60
"""Redis forgets a state this much later, so that a late callback is told that it is late."""


def move_the_stores_clock_along(inner: GuidedInProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or only the gateway's is moved, and a state that looks expired is the clocks' fault."""
    states = inner.gateway.application.services.states
    facts = states.facts

    async def moved() -> StoreFacts:
        return replace(await facts(), now=inner.gateway.clock())

    monkeypatch.setattr(states, "facts", moved)


async def test_a_late_callback_has_expired(inner: GuidedInProcess, monkeypatch: pytest.MonkeyPatch):
    move_the_stores_clock_along(inner, monkeypatch)
    async with inner.gateway.browser() as browser:
        inner.gateway.clock.stop()
        callback = await inner.gateway.returned(browser, inner.id)
        inner.gateway.clock.advance(seconds=TTL - 2)
        await inner.finish(browser, callback)  # not a second too early
        callback = await inner.gateway.returned(browser, inner.id)
        inner.gateway.clock.advance(seconds=TTL + 1)
        page = await browser.open(callback)
    assert (page.status, guide.OPAQUE.text in page.text) == (400, True)
    text = guide.EXPIRED_FLOW.text.replace("abc123", inner.id).replace("in database", f"in {inner.backend.label}")
    found = without_times(inner.shell.lines(guide.LOG_VALIDATION))
    assert text.splitlines()[1] == f"WARNING - {guide.EXPIRED.text.format(gateway_id=inner.id)}"
    assert found[-2:] == text.splitlines()[1:]
    assert without_times(inner.shell.lines(guide.LOG_STORED))[-1] == text.splitlines()[0]
    log = (inner.shell.folder / "logs" / "mcpgateway.log").read_text()
    late = log[log.rindex(STORED) :]
    assert named(late) == {STORED, EXPIRED, FAILED + guide.OPAQUE.text}


@pytest.mark.backends("redis")
@pytest.mark.parametrize("way", ways("redis-cli"))
async def test_the_guides_redis_commands(inner: GuidedInProcess, way: str):
    shell = inner.shell
    assert shell.run(guide.REDIS_PING) == "PONG\n"
    assert shell.run(guide.REDIS_KEYS).strip() == ""
    async with inner.gateway.browser() as browser:
        used, fresh = [await inner.gateway.returned(browser, inner.id) for _ in range(2)]
        await inner.finish(browser, used)
        keys = {f"oauth:state:{inner.id}:{state_of(each)}": each for each in (used, fresh)}
        assert set(shell.lines(guide.REDIS_KEYS)) == set(keys)
        for key, callback in keys.items():
            placeholder = "oauth:state:<gateway_id>:<state>"
            assert TTL < int(shell.run(guide.REDIS_TTL.text.replace(placeholder, key))) <= TTL + GRACE
            content = json.loads(shell.run(guide.REDIS_GET.text.replace(placeholder, key)))
            assert bool(content.get("used")) is (callback == used)
            assert bool(content.get("code_verifier")) is (callback != used)
        assert shell.run(guide.CLEAR_REDIS) == "2\n"
        assert shell.run(guide.REDIS_KEYS).strip() == ""
        assert shell.run(guide.CLEAR_REDIS) == ""  # xargs -r: nothing to delete, nothing run
        await browser.open(used)
    assert NOT_FOUND in shell.lines(guide.LOG_NOT_FOUND)[0]


def statement(inner: GuidedInProcess, entry: guide.Entry) -> str:
    """A statement for this database: on PostgreSQL with what the guide says to change."""
    if inner.backend.name == "sqlite":
        return entry.text
    now, true = guide.POSTGRES_ALTERNATIVES.text.splitlines()
    assert (now, true) == ("Use NOW() instead of datetime('now')", "Use true instead of 1 for boolean")
    return entry.text.replace("datetime('now')", "NOW()").replace("used = 1", "used = true")


def rows(inner: GuidedInProcess, entry: guide.Entry) -> list[list[str]]:
    """What a statement of the guide gives, typed into sqlite3 or psql."""
    program = "sqlite3 mcp.db" if inner.backend.name == "sqlite" else "psql -At"
    return [line.split("|") for line in inner.shell.run(program, stdin=statement(inner, entry)).splitlines()]


def clear(inner: GuidedInProcess) -> guide.Entry:
    return guide.CLEAR_SQLITE if inner.backend.name == "sqlite" else guide.CLEAR_POSTGRES


async def check_statements(inner: GuidedInProcess) -> None:
    """Three states and a token, seen by every statement of the guide."""
    clock = inner.gateway.clock
    yes = {"1", "t"}
    assert rows(inner, guide.SQL_STATES) == rows(inner, guide.SQL_TOKENS) == []
    async with inner.gateway.browser() as browser:
        clock.advance(seconds=-TTL - 2)  # "now" in SQL is the machine's: this one expired two seconds ago
        late = await inner.gateway.returned(browser, inner.id)
        clock.advance(seconds=TTL + 2)
        used = await inner.gateway.returned(browser, inner.id)
        await inner.finish(browser, used)
        fresh = await inner.gateway.returned(browser, inner.id)
        seen = rows(inner, guide.SQL_STATES)
        assert [row[1:3] for row in seen] == [[inner.id, state_of(each)[:50]] for each in (fresh, used, late)]
        assert [(row[3] in yes, row[5] in yes) for row in seen] == [(True, False), (False, True), (True, False)]
        assert rows(inner, guide.SQL_EXPIRED) == [["1"]]
        assert rows(inner, guide.SQL_USED) == [["1"]]
        token = rows(inner, guide.SQL_TOKENS)[0]
        assert (token[1], token[3]) == (inner.id, ALICE)
        assert [row[0] for row in rows(inner, guide.SQL_ALL_TOKENS)] == [token[0]]
        inspector = await open_inspector(inner.gateway.application.services.context)
        await inspector.catch_up()  # the sqlite3 command waits for no lock
        told = inner.shell.run(clear(inner))
        assert told == ("" if inner.backend.name == "sqlite" else "DELETE 2\n")
        assert [row[2] for row in rows(inner, guide.SQL_STATES)] == [state_of(fresh)[:50]]
        await browser.open(used)  # its row is gone, so it is not known as used any more
        assert f"{NOT_FOUND} database" in inner.shell.lines(guide.LOG_NOT_FOUND)[0]
        await inner.finish(browser, fresh)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("way", ways("sqlite3"))
async def test_the_guides_statements_on_sqlite(inner: GuidedInProcess, way: str):
    await check_statements(inner)


@pytest.mark.backends("postgres")
@pytest.mark.parametrize("way", ways("psql"))
async def test_the_guides_statements_on_postgresql(inner: GuidedInProcess, way: str):
    await check_statements(inner)
