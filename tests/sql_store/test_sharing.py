"""Callers who read the same at the same moment cost the database one SELECT."""

import asyncio

import pytest
from latchpin_sql_store import plugin
from latchpin_sql_store.database import Database
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import SuiteContext, samples
from sqlalchemy import event


@pytest.mark.parametrize("fixture", ["sqlite_url"])
async def test_a_batch_of_equal_reads_is_one_select(request, fixture, monkeypatch):
    settings = SqlSettings(database_url=request.getfixturevalue(fixture))
    opened: list[Database] = []
    init = Database.__init__

    def remember(self, url):
        init(self, url)
        opened.append(self)

    monkeypatch.setattr(Database, "__init__", remember)
    async with SuiteContext() as context, plugin.latchpin_record_store().open(settings, context) as records:
        gateway = samples.gateway(context.clock())
        await records.gateways.put(gateway)
        tokens = [
            samples.stored_token(context.clock(), gateway_id=gateway.id, app_user_email=f"{name}@example.com")
            for name in ("ada", "bob")
        ]
        for token in tokens:
            await records.tokens.put(token, replacing=None)
        statements: list[str] = []
        event.listen(opened[0]._read_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        wanted = [tokens[number % 2] for number in range(100)]
        found = await asyncio.gather(*(records.tokens.get(gateway.id, token.app_user_email) for token in wanted))
        assert found == wanted
        # The first goes out alone, all others together.
        assert len([text for text in statements if text.startswith("SELECT")]) <= 3
        assert await records.tokens.get(gateway.id, "eve@example.com") is None
