"""Processes that open or upgrade one database at the same moment."""

import os
import subprocess
import sys

from latchpin_sql_store import plugin
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import SuiteContext

__all__ = ["OPEN", "UPGRADE", "open_states", "results", "start"]

OPEN = """
import asyncio, sys
from latchpin_testing import SuiteContext
from latchpin_sql_store import plugin
from latchpin_sql_store.settings import SqlSettings

async def main():
    settings = SqlSettings()
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context) as states:
        async with plugin.latchpin_record_store().open(settings, context) as records:
            await states.check()
            await records.check()
    print("alembic" in sys.modules)

asyncio.run(main())
"""
UPGRADE = "from latchpin_sql_store import plugin; plugin.upgrade()"


def start(code, url, cwd):
    environment = os.environ | {"DATABASE_URL": url}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(processes):
    ended = [(*process.communicate(timeout=180), process.returncode) for process in processes]
    assert [status for _, _, status in ended] == [0] * len(processes), ended
    return [out.strip() for out, _, _ in ended]


async def open_states(url):
    settings = SqlSettings(database_url=url)
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context) as states:
        await states.check()
