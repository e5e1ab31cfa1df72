"""An SQLite database, its log and its lock are made for their owner's eyes only, by whoever makes them."""

import os
import stat

import pytest
from latchpin_sql_store import plugin
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import START, SuiteContext, samples


@pytest.fixture(autouse=True)
def careless_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def use(folder):
    settings = SqlSettings(database_url=f"sqlite:///{folder}/mcp.db")
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context) as states:
        await states.put(samples.pending_authorization(START))
        return modes(folder)


async def test_a_store_that_makes_its_database(tmp_path):
    made = await use(tmp_path)
    assert {"mcp.db", "mcp.db-wal", "mcp.db-shm", "mcp.db.lock"} <= made.keys()
    assert set(made.values()) == {0o600}


def test_the_command_that_makes_it(tmp_path):
    upgrade_database(f"sqlite:///{tmp_path}/mcp.db")
    assert set(modes(tmp_path).values()) == {0o600}


async def test_a_database_that_was_opened_to_others_on_purpose_stays_so(tmp_path):
    (tmp_path / "mcp.db").touch(mode=0o660)
    assert (await use(tmp_path))["mcp.db"] == 0o660
