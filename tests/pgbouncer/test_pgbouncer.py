"""The SQL store through PgBouncer in transaction mode: what a session would keep, a restart behind it, the suites."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from latchpin_sql_store.engine import WAIT_MILLISECONDS, build_engine, parse_url
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.pooled import is_pooled
from latchpin_sql_store.schema import HEAD
from latchpin_testing import SharedRecordStoreContract, SharedStateStoreContract
from sqlalchemy import text

from tests.failover.conftest import Traffic, live_through
from tests.servers import PostgresServer
from tests.servers.databases import PgBouncer
from tests.sql_store.test_contracts import OnMigrated, Records, States
from tests.sql_store.test_schema import UPGRADE


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    bouncer = PgBouncer(postgres)
    yield bouncer
    bouncer.close()


@pytest.mark.parametrize("purpose", ["read", "write"])
def test_it_is_noticed_and_nothing_is_left_in_its_connections(postgres, pgbouncer, database_url, purpose):
    engine = build_engine(parse_url(pgbouncer.url(database_url)), purpose)
    try:
        with engine.connect() as connection:
            assert is_pooled(connection)
            for number in range(20):  # psycopg would prepare it the sixth time
                assert connection.execute(text("SELECT :n + 0"), {"n": number}).scalar_one() == number
            assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() == 0
            waits = connection.execute(text("SHOW lock_timeout")).scalar_one()
            assert waits == ("0" if purpose == "read" else f"{WAIT_MILLISECONDS}ms")
    finally:
        engine.dispose()
    with psycopg.connect(pgbouncer.url(database_url), prepare_threshold=None) as another:
        assert another.execute("SHOW lock_timeout").fetchone() == ("0",)
        assert another.execute("SHOW plan_cache_mode").fetchone() == ("auto",)


def test_without_it_the_session_keeps_what_was_set(database_url):
    engine = build_engine(parse_url(database_url), "read")
    try:
        with engine.connect() as connection:
            assert not is_pooled(connection)
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == f"{WAIT_MILLISECONDS}ms"
    finally:
        engine.dispose()


def test_four_machines_upgrade_at_once_and_the_lock_is_given_back(postgres, pgbouncer, database_url, tmp_path):
    environment = os.environ | {"DATABASE_URL": pgbouncer.url(database_url)}
    command = [sys.executable, "-c", UPGRADE]
    started = [
        subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=180)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert all(HEAD in each for each in said)
    assert postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", url=database_url) == [(0,)]


async def test_postgresql_restarts_behind_it_while_people_authorize_and_call(postgres, database_url, tmp_path):
    bouncer = PgBouncer(postgres)

    async def outage(traffic: Traffic) -> None:
        await asyncio.to_thread(postgres.stop)
        await traffic.notice()
        await asyncio.to_thread(postgres.start)

    try:
        environment = {"CACHE_TYPE": "database", "DATABASE_URL": bouncer.url(database_url)}
        await live_through(environment, tmp_path, outage)
    finally:
        bouncer.close()


@pytest.fixture(scope="module")
def migrated(postgres, pgbouncer) -> str:
    """One database for all of them, migrated through PgBouncer too."""
    url = pgbouncer.url(postgres.create_database())
    upgrade_database(url)
    return url


class TestStatesThroughPgbouncer(OnMigrated, States, SharedStateStoreContract):
    pass


class TestRecordsThroughPgbouncer(OnMigrated, Records, SharedRecordStoreContract):
    pass
