"""What is over is removed a limited number at once, so that nobody waits long for their turn behind it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from latchpin_sql_store import states as sql_states
from latchpin_sql_store.database import open_database
from latchpin_sql_store.states import SqlStates
from latchpin_testing import MovedClock, samples

pytestmark = pytest.mark.backends("sqlite")


@pytest.mark.parametrize("everything", [False, True])
async def test_states_go_in_several_transactions(everything: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sql_states, "PURGED_AT_ONCE", 2)
    clock = MovedClock()
    async with open_database(f"sqlite:///{tmp_path}/mcp.db") as database:
        store = SqlStates(database, clock)
        for _ in range(5):
            await store.put(samples.pending_authorization(clock(), ttl=timedelta(seconds=1)))
        lasting = samples.pending_authorization(clock(), ttl=timedelta(seconds=99))
        await store.put(lasting)
        clock.advance(timedelta(seconds=2))
        transactions = []
        write = database.write

        async def counted(*place, run):
            transactions.append(await write(*place, run=run))
            return transactions[-1]

        monkeypatch.setattr(database, "write", counted)
        assert await store.purge(everything=everything) == (6 if everything else 5)
        assert [found for found, _ in transactions] == ([2, 2, 2, 0] if everything else [2, 2, 1])
        if not everything:
            assert await store.consume(lasting.key) == lasting
