"""Connections that nobody uses end after a time that is set; those that are used do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_audit.log import AuditLog
from latchpin_idle_connections.idleness import Idleness

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, Connected, InnerGateway, connect, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
DAYS = 30


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    environment.setenv("IDLE_CONNECTION_DAYS", str(DAYS))
    async with open_gateway() as opened:
        yield opened


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    connected = await connect(gateway, provider)
    await connected.authorize(BOB)
    return connected


async def sweep(gateway: InnerGateway) -> int:
    return await Idleness(gateway.application, timedelta(days=DAYS)).sweep()


async def users(gateway: InnerGateway) -> set[str]:
    return {token.app_user_email for token in await gateway.application.services.records.tokens.list()}


async def test_what_nobody_uses_is_dropped_here_and_revoked_there(connected: Connected, gateway, provider):
    for day in range(0, DAYS + 2, 3):
        assert await users(gateway) == {ALICE, BOB}, day
        await connected.fetch(ALICE)
        gateway.clock.advance(days=3)
        if day < DAYS - 3:
            assert await sweep(gateway) == 0
    assert await sweep(gateway) == 1
    assert await users(gateway) == {ALICE}
    assert len(provider.asked("revoke")) == 1
    entries = await AuditLog.of(gateway.application.services.context).records.list(after=0, limit=100)
    assert [(entry.event, entry.actor) for entry in entries][-1] == ("token.dropped", "gateway")
    await connected.authorize(BOB)  # and counts as used from now on
    gateway.clock.advance(days=1)
    assert await sweep(gateway) == 0
    assert await users(gateway) == {ALICE, BOB}


async def test_a_renewal_in_the_background_is_no_use(connected: Connected, gateway):
    tokens = gateway.application.tokens
    for _ in range(DAYS + 1):
        gateway.clock.advance(days=1)
        gateway_entry = await gateway.application.gateways.get_any(connected.id)
        stored = await gateway.application.services.records.tokens.get(connected.id, ALICE)
        await tokens.refresh_ahead(gateway_entry, stored)
    assert await sweep(gateway) == 2


async def test_a_setting_that_is_new_counts_from_the_first_look(connected: Connected, gateway):
    kept = gateway.application.services.kept
    for name in await kept.list("used:"):
        await kept.take(name)
    gateway.clock.advance(days=3 * DAYS)
    assert await sweep(gateway) == 0
    gateway.clock.advance(days=DAYS - 1)
    assert await sweep(gateway) == 0
    gateway.clock.advance(days=1)
    assert await sweep(gateway) == 2


async def test_one_of_all_workers_looks_once_an_hour(connected: Connected, gateway):
    gateway.clock.advance(days=DAYS)
    kept, now = gateway.application.services.kept, gateway.clock()
    await kept.put("idle-sweep", "another worker's", expires_at=now + timedelta(hours=1))
    assert await sweep(gateway) == 0
    gateway.clock.advance(minutes=61)
    assert await sweep(gateway) == 2


async def test_one_that_is_used_between_look_and_deed_stays(connected: Connected, gateway, monkeypatch):
    records, gone = gateway.application.services.records, False
    listed = records.tokens.list

    async def used_meanwhile(**given):
        nonlocal gone
        found = await listed(**given)
        if not gone:
            gone = True
            await connected.fetch(ALICE)
        return found

    gateway.clock.advance(days=DAYS)
    monkeypatch.setattr(records.tokens, "list", used_meanwhile)
    assert await sweep(gateway) == 1
    assert await users(gateway) == {ALICE}


async def test_a_use_does_not_fail_because_it_cannot_be_noted(connected: Connected, gateway, monkeypatch):
    kept = gateway.application.services.kept
    take = kept.take

    async def away(name: str, **given):
        if name.startswith("used:"):
            raise BackendUnavailable("away")
        return await take(name, **given)

    gateway.clock.advance(hours=2)
    monkeypatch.setattr(kept, "take", away)
    assert (await connected.fetch()).status_code == 200


async def test_a_use_does_not_fail_because_an_observer_does(connected: Connected, gateway, log):
    class Broken:
        async def used(self, gateway_id: str, owner: str, label: str, *, anew: bool) -> None:
            raise RuntimeError((gateway_id, owner, label, anew))

    gateway.application.services.connection_observers["acme (a plugin)"] = Broken()
    assert (await connected.fetch()).status_code == 200
    assert "The connection observer acme (a plugin) failed; the connection is used all the same" in log()
    assert f"RuntimeError: ('{connected.id}', '{ALICE}', '', False)" in log()


async def test_where_no_days_are_set_nothing_is_noted_and_nothing_dropped(environment):
    async with open_gateway() as gateway:
        services = gateway.application.services
        assert not services.connection_observers
        assert "drop-idle" not in services.background_tasks
