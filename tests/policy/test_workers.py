"""What one worker writes counts at every other within a second: two gateways over one store, with stopped clocks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.aggregator.conftest import Program
from tests.policy.conftest import OPERATOR, Recorded, book_of, group, rules
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

Pair = tuple[InnerGateway, InnerGateway]

pytestmark = pytest.mark.needs("latchpin_sql_store")


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_rule_and_a_group_count_at_the_other_worker_within_a_second(pair: Pair, server: Recorded):
    here, elsewhere = pair
    for each in pair:
        each.clock.stop()
    entry = await here.add(server.url, name="Notes", auth_type="none", allowed_users="group:staff")
    await group(here, "staff", ALICE)
    token = await here.application.signed_tokens.create_bearer(ALICE, False, timedelta(days=1))
    async with elsewhere.client(None, Authorization=f"Bearer {token}") as http:
        own, one = Program(http, f"{BASE}/gateways/{entry}/mcp"), Program(http, f"{BASE}/mcp")
        assert len(await own.tools()) == len(await one.tools()) == 3
        (made,) = await rules(here, {"effect": "deny", "tools": "delete_note", "who": "group:staff"})
        elsewhere.clock.advance(seconds=0.999)
        assert set(await own.tools()) == {"get_note", "put_note"}
        assert set(await one.tools()) == {"notes__get_note", "notes__put_note"}
        assert "error" in await own.call("delete_note")
        await (await book_of(here)).remove_rule(made.id, OPERATOR)
        elsewhere.clock.advance(seconds=0.999)
        assert len(await own.tools()) == len(await one.tools()) == 3
        await group(here, "staff", "bob@example.com")
        elsewhere.clock.advance(seconds=0.999)
        answer = await own.send(*own.message("tools/list"))
        assert answer.status_code == 404
        assert "notes__get_note" not in await one.tools()


@pytest.mark.backends("sqlite")
async def test_what_nobody_changed_is_read_by_one_small_question(pair: Pair):
    """A worker that died between two writes is not waited for: after half a minute everything is read again."""
    here, elsewhere = pair
    elsewhere.clock.stop()
    await rules(here, {"effect": "deny", "tools": "a"})
    book = await book_of(elsewhere)
    first = await book.current()
    for seconds in (1, 31):
        elsewhere.clock.advance(seconds=seconds)
        assert await book.current() is first, "what was judged by it stays"
    await (await book_of(here))._rules.delete(first.rules[0].id)
    elsewhere.clock.advance(seconds=1)
    assert await book.current() is first
    elsewhere.clock.advance(seconds=30)
    assert (await book.current()).rules == ()
