"""States that all replicas share, beside records in a file of one machine, are worth a warning."""

from __future__ import annotations

import logging

import pytest
from latchpin_sql_store.plugin import latchpin_record_store
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import SuiteContext


@pytest.mark.parametrize(("cache_type", "warned"), [("redis", True), ("database", False)])
async def test_redis_beside_a_local_file_is_warned_about(cache_type, warned, tmp_path, caplog):
    settings = SqlSettings(database_url=f"sqlite:///{tmp_path}/mcp.db", cache_type=cache_type)
    with caplog.at_level(logging.WARNING, "latchpin.sql_store"):
        async with SuiteContext() as context, latchpin_record_store().open(settings, context):
            pass
    assert ("replicas would not share tokens" in caplog.text) is warned
