"""Renewing ahead of time: when, by whom, how many at once, and what becomes of what cannot be renewed."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.application import Application
from latchpin.oauth.lifetime import choose_renewal
from latchpin_refresh_ahead import plugin, refresh_ahead
from latchpin_refresh_ahead.refresh_ahead import AT_ONCE, POSTPONED, RefreshAhead
from latchpin_refresh_ahead.settings import RefreshAheadSettings
from latchpin_testing import BackgroundTaskContract, SuiteContext, samples
from latchpin_testing import MovedClock as SuiteClock

from tests.servers import GatewayBackend
from tests.support.gateway_in_process import MovedClock, open_gateway
from tests.token_refresh.conftest import HOUR, RotatingServer, add_gateway, open_application, put_token

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def application(settings: dict[str, str], clock: MovedClock) -> AsyncIterator[Application]:
    async with open_application(settings, clock) as opened:
        yield opened


def refresh_ahead_of(application: Application) -> RefreshAhead:
    return RefreshAhead(application)


def test_the_moments_are_spread_over_the_last_fifth_and_do_not_change():
    now = SuiteClock()()
    tokens = [replace(samples.stored_token(now), expires_at=now + HOUR) for _ in range(10 * AT_ONCE)]
    moments = [choose_renewal(token) for token in tokens]
    assert moments == [choose_renewal(token) for token in tokens]
    assert now + 48 * MINUTE <= min(moments)
    assert max(moments) <= now + 57 * MINUTE
    by_minute = Counter((moment - now) // MINUTE for moment in moments)
    assert set(by_minute) == set(range(48, 57))
    assert max(by_minute.values()) < 200
    later = [choose_renewal(replace(token, revision=token.revision + 1)) for token in tokens]
    assert later != moments


@pytest.mark.backends("memory")
async def test_a_token_is_renewed_when_it_is_due_and_not_before(application, clock, server, origin):
    gateway = await add_gateway(application, origin)
    put = await put_token(application, gateway, "ada@example.com", refresh_token="ada.0", age=timedelta(0))
    bare = await put_token(application, gateway, "bob@example.com", refresh_token=None, age=timedelta(0))
    assert bare.renew_at is None
    clock.advance(minutes=47)
    await refresh_ahead_of(application).work_off()
    assert server.seen.refreshes == []
    clock.advance(minutes=10)
    await refresh_ahead_of(application).work_off()
    await refresh_ahead_of(application).work_off()
    assert server.seen.refreshes == ["ada.0"]
    renewed = await application.services.records.tokens.get(gateway.id, "ada@example.com")
    assert renewed.expires_at > clock() + 59 * MINUTE
    assert renewed.renew_at > clock() + 47 * MINUTE
    assert (renewed.refresh_begun_at, renewed.revision) == (None, put.revision + 2)


@pytest.mark.needs("latchpin_memory_store")
async def test_it_runs_beside_the_gateway_if_it_is_switched_on(environment, server, origin):
    environment.setattr(refresh_ahead, "INTERVAL_SECONDS", 0.001)
    environment.setenv("REFRESH_AHEAD", "true")
    asked, gate = threading.Event(), threading.Event()

    async def hold(_refresh_token: str) -> None:
        asked.set()
        await asyncio.to_thread(gate.wait, 60)

    server.before = hold
    async with open_gateway() as inner:
        gateway = await add_gateway(inner.application, origin)
        await put_token(inner.application, gateway, "ada@example.com", refresh_token="ada.0")
        assert await asyncio.to_thread(asked.wait, 60)
        asyncio.get_running_loop().call_later(0.01, gate.set)
    tear_down_logging()
    # The gateway was stopped in the middle of a renewal, whose outcome is kept all the same.
    renewed = await inner.application.services.records.tokens.get(gateway.id, "ada@example.com")
    assert renewed.expires_at > inner.clock()
    assert server.seen.answers == ["ada-access-1"]
    assert not [task for task in asyncio.all_tasks() if "refresh-ahead" in task.get_name()]


class TestRefreshAhead(BackgroundTaskContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_background_tasks()[0]

    @pytest.fixture
    def settings(self):
        return RefreshAheadSettings(refresh_ahead=True)


async def test_it_does_not_run_unless_it_is_switched_on():
    (offer,) = plugin.latchpin_background_tasks()
    async with SuiteContext() as context, offer.open(RefreshAheadSettings(), context) as task:
        assert task is None


@pytest.fixture
def patient(backend: GatewayBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may take longer than the two seconds after which callers are told so."""
    if "DATABASE_URL" in backend.environment:
        monkeypatch.setattr("latchpin_sql_store.write_queue.PATIENCE", 60)


@pytest.mark.slow
@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_of_many_tokens_of_one_issuer_ten_are_renewed_at_once_by_two_workers(
    patient, settings, clock, server: RotatingServer, origin
):
    ten, gate = threading.Event(), threading.Event()

    async def hold_the_first(_refresh_token: str) -> None:
        if server.under_way >= AT_ONCE:
            ten.set()
        if not gate.is_set():
            await asyncio.to_thread(gate.wait, 60)

    server.before = hold_the_first
    async with open_application(settings, clock) as one, open_application(settings, clock) as other:
        gateway = await add_gateway(one, origin)
        emails = [f"user{number}@example.com" for number in range(10 * AT_ONCE)]
        await asyncio.gather(
            *(put_token(one, gateway, email, refresh_token=f"{email}.0", age=57 * MINUTE) for email in emails)
        )
        first = asyncio.create_task(refresh_ahead_of(one).work_off())
        assert await asyncio.to_thread(ten.wait, 60)
        await refresh_ahead_of(other).work_off()  # there is no place for the other one
        assert (server.under_way, len(server.seen.refreshes)) == (AT_ONCE, AT_ONCE)
        gate.set()
        await first
        async with asyncio.timeout(120):
            while await one.services.records.tokens.list_due(clock(), limit=1):
                await asyncio.gather(refresh_ahead_of(one).work_off(), refresh_ahead_of(other).work_off())
        assert server.seen.most == AT_ONCE
        assert sorted(server.seen.refreshes) == sorted(f"{email}.0" for email in emails)  # each once
        tokens = await other.services.records.tokens.list()
        assert all(token.expires_at > clock() + 50 * MINUTE for token in tokens)


@pytest.mark.backends("memory")
async def test_a_silent_issuer_is_left_alone_for_a_while_and_others_are_not(application, clock, server, origin):
    silent = await add_gateway(application, "http://127.0.0.1:9")
    lively = await add_gateway(application, origin)
    for number in range(40):
        await put_token(application, silent, f"user{number}@example.com", refresh_token="x.0", age=57 * MINUTE)
    await put_token(application, lively, "ada@example.com", refresh_token="ada.0", age=57 * MINUTE)
    await refresh_ahead_of(application).work_off()
    assert server.seen.refreshes == ["ada.0"]
    tokens = await application.services.records.tokens.list(gateway_id=silent.id)
    assert {token.renew_at > clock() + POSTPONED - MINUTE for token in tokens} == {True}
    tried = [token for token in tokens if token.refresh_begun_at is not None]
    assert 1 <= len(tried) <= AT_ONCE  # the rest of them was not asked for
    assert await application.services.records.tokens.list_due(clock(), limit=1) == []
    clock.advance(minutes=6)
    await refresh_ahead_of(application).work_off()
    tokens = await application.services.records.tokens.list(gateway_id=silent.id)
    assert {token.renew_at for token in tokens} == {None}  # expired meanwhile: whoever needs one renews it


@pytest.mark.backends("memory")
async def test_what_only_a_person_can_mend_is_not_tried_again(application, clock, server, origin):
    gateway = await add_gateway(application, origin)
    spent = await put_token(application, gateway, "ada@example.com", refresh_token="ada.7")
    await refresh_ahead_of(application).work_off()
    stored = await application.services.records.tokens.get(gateway.id, spent.app_user_email)
    assert (stored.needs_reauth, stored.renew_at) == (True, None)
    other = await put_token(application, gateway, "bob@example.com", refresh_token="bob.0")
    gone = replace(other, revision=2, client_id="another")
    await application.services.records.tokens.put(gone, replacing=other)
    await refresh_ahead_of(application).work_off()
    stored = await application.services.records.tokens.get(gateway.id, other.app_user_email)
    assert (stored.needs_reauth, stored.renew_at) == (False, None)
    assert server.seen.refreshes == ["ada.7"]


@pytest.mark.backends("memory")
async def test_who_may_no_longer_use_the_gateway_has_nothing_renewed(application, clock, server, origin):
    gateway = await add_gateway(application, origin)
    await put_token(application, gateway, "ada@example.com", refresh_token="ada.0")
    narrowed = replace(gateway, revision=gateway.revision + 1, allowed_users=("bob@example.com",))
    await application.services.records.gateways.replace(narrowed)
    await refresh_ahead_of(application).work_off()
    assert server.seen.refreshes == []
    assert (await application.services.records.tokens.get(gateway.id, "ada@example.com")).renew_at is None


@pytest.mark.backends("memory")
async def test_an_entry_that_does_not_hold_keeps_nobody_else_waiting(application, clock, server, origin, monkeypatch):
    broken = await add_gateway(application, origin)
    await put_token(application, broken, "ada@example.com", refresh_token="ada.0", age=57 * MINUTE)
    good = await add_gateway(application, origin)
    await put_token(application, good, "bob@example.com", refresh_token="bob.0", age=57 * MINUTE)
    find = application.servers.find

    async def fail(gateway):
        if gateway.id == broken.id:
            raise RuntimeError("nobody foresaw this")
        return await find(gateway)

    monkeypatch.setattr(application.servers, "find", fail)
    await refresh_ahead_of(application).work_off()
    assert server.seen.refreshes == ["bob.0"]
    assert await application.services.records.tokens.list_due(clock(), limit=1) == []
