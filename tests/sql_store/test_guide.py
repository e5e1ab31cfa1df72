"""The troubleshooting guide's SQL, word for word, against tables with a fresh, an expired and a used state."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from latchpin_sql_store import plugin
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import MovedClock, SuiteContext, samples

STATES = """
SELECT id, gateway_id, substr(state, 1, 50) as state_preview,
       code_verifier IS NOT NULL as has_pkce,
       expires_at, used, created_at
FROM oauth_states
ORDER BY created_at DESC
LIMIT 10;
"""
EXPIRED = """
SELECT COUNT(*) as expired_count
FROM oauth_states
WHERE expires_at < datetime('now');
"""
USED = """
SELECT COUNT(*) as used_count
FROM oauth_states
WHERE used = 1;
"""
TOKENS = """
SELECT id, gateway_id, user_id, app_user_email,
       expires_at, created_at
FROM oauth_tokens
ORDER BY created_at DESC
LIMIT 10;
"""
ALL_TOKENS = "SELECT * FROM oauth_tokens ORDER BY created_at DESC LIMIT 5;"
CLEAR = "DELETE FROM oauth_states WHERE expires_at < datetime('now') OR used = 1;"


def in_postgres(statement):
    """What the guide says to change: NOW() for datetime('now'), true for 1."""
    return statement.replace("datetime('now')", "NOW()").replace("used = 1", "used = true")


@pytest.mark.parametrize("fixture", ["sqlite_url", "database_url"])
async def test_every_statement_of_the_guide(request, fixture):
    url = request.getfixturevalue(fixture)
    upgrade_database(url)
    now = datetime.now(UTC)
    # The SQL's "now" is the machine's, so the states are placed around it, by seconds: text must compare as time does.
    clock = MovedClock(now - timedelta(seconds=302))
    old = samples.pending_authorization(clock(), ttl=timedelta(seconds=300))
    fresh = samples.pending_authorization(now, ttl=timedelta(seconds=300))
    used = samples.pending_authorization(now + timedelta(seconds=1), ttl=timedelta(seconds=300))
    settings = SqlSettings(database_url=url)
    async with (
        SuiteContext(clock) as context,
        plugin.latchpin_record_store().open(settings, context) as records,
        plugin.latchpin_state_store().open(settings, context) as states,
    ):
        for pending in (old, fresh, used):
            await states.put(pending)
        await states.consume(used.key)
        gateway = samples.gateway(now)
        await records.gateways.put(gateway)
        token = samples.stored_token(now, gateway_id=gateway.id)
        await records.tokens.put(token, replacing=None)
        with closing(_connect(url)) as connection:
            sql = str if fixture == "sqlite_url" else in_postgres
            rows = connection.execute(sql(STATES)).fetchall()
            assert [(row[0], row[2], bool(row[3]), bool(row[5])) for row in rows] == [
                (pending.id, pending.key.state[:50], pending is not used, pending is used)
                for pending in (used, fresh, old)
            ]
            assert connection.execute(sql(EXPIRED)).fetchone() == (1,)
            assert connection.execute(sql(USED)).fetchone() == (1,)
            assert connection.execute(sql(TOKENS)).fetchone()[:4] == (
                token.id,
                gateway.id,
                token.user_id,
                token.app_user_email,
            )
            assert len(connection.execute(sql(ALL_TOKENS)).fetchall()) == 1
            assert connection.execute(sql(CLEAR)).rowcount == 2
        assert await states.consume(fresh.key) == fresh


def _connect(url):
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    return psycopg.connect(url, autocommit=True)
