"""Two PostgreSQL servers in DATABASE_URL: a primary, and a standby that is promoted when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_sql_store.migrate import upgrade_database
from latchpin_testing import MovedClock, samples

from tests.failover.conftest import Traffic, live_through
from tests.servers import PostgresServer
from tests.servers.databases import StandbyServer
from tests.sql_store.test_faults import opened


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, StandbyServer]]:
    primary = PostgresServer()
    try:
        standby = StandbyServer(primary)
        try:
            yield primary, standby
        finally:
            standby.close()
    finally:
        primary.close()


def url_of(pair) -> str:
    """The standby first: which of them can be written is asked."""
    primary, standby = pair
    direct = primary.create_database()
    return direct.replace(f"127.0.0.1:{primary.port}", f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}")


async def test_a_standby_takes_over_while_people_authorize_and_tokens_are_refreshed(pair, tmp_path):
    primary, standby = pair

    async def outage(traffic: Traffic) -> None:
        await asyncio.to_thread(primary.kill)
        await traffic.notice()
        await asyncio.to_thread(standby.promote)

    await live_through({"CACHE_TYPE": "database", "DATABASE_URL": url_of(pair)}, tmp_path, outage)


async def test_a_server_that_may_only_be_read_any_more_is_left(pair):
    """As after a planned change-over that breaks no connection."""
    primary, standby = pair
    url = url_of(pair)
    upgrade_database(url)
    pending = [samples.pending_authorization(MovedClock()()) for _ in range(2)]
    async with opened(url) as (states, _):
        await states.put(pending[0])
        # Before the promotion: a write of the primary would wait for a standby that copies nothing any more.
        primary.reconfigure("default_transaction_read_only", "on")
        await asyncio.to_thread(standby.promote)
        for _ in range(2):
            try:
                await states.put(pending[1])
                break
            except BackendUnavailable:  # it was met on the way
                continue
        assert standby.execute("SELECT count(*) FROM oauth_states", url=_there(url, standby)) == [(2,)]
        assert await states.consume(pending[0].key) == pending[0]


def _there(url: str, server: PostgresServer) -> str:
    return server.url(url.rpartition("/")[2])
