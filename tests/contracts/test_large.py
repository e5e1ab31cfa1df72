"""The rules about many tokens find a store that reads them all."""

from __future__ import annotations

from collections import Counter

import pytest
from latchpin.sdk.stores import status_of
from latchpin_testing import CheapCountContract, MovedClock, SharedRecordStoreContract, SuiteContext

pytestmark = pytest.mark.needs("latchpin_sql_store")


class Reading:
    """Finds by reading everything."""

    def __init__(self, tokens) -> None:
        self.list, self.put = tokens.list, tokens.put

    async def list_due(self, now, *, limit):
        found = [token for token in await self.list() if token.renew_at is not None and token.renew_at <= now]
        return sorted(found, key=lambda token: token.renew_at)[:limit]

    async def count(self, now):
        return Counter(status_of(token, now) for token in await self.list())


class Store:
    def __init__(self, store, tokens) -> None:
        self.gateways, self.tokens = store.gateways, tokens


RULES = {
    "list_due": (SharedRecordStoreContract, "test_of_many_tokens_those_due_are_read"),
    "count": (CheapCountContract, "test_many_tokens_are_counted_and_not_read"),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("reads", [False, True])
async def test_a_store_that_reads_everything_is_found(name: str, reads: bool, tmp_path):
    from latchpin_sql_store.plugin import latchpin_record_store
    from latchpin_sql_store.settings import SqlSettings

    clock, (suite, rule) = MovedClock(), RULES[name]
    settings = SqlSettings(database_url=f"sqlite:///{tmp_path / 'one.db'}")
    async with SuiteContext(clock) as context, latchpin_record_store().open(settings, context) as opened:
        store = Store(opened, Reading(opened.tokens) if reads else opened.tokens)
        if not reads:
            await getattr(suite(), rule)(store, clock)
            return
        with pytest.raises(pytest.fail.Exception, match=f"{name} does not read all tokens"):
            await getattr(suite(), rule)(store, clock)
