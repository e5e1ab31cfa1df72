"""After something was stolen: everything that was given out is taken back at once, and how long it took is told."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from latchpin.errors import Forbidden
from latchpin.identity.revocations import REMEMBERED, UNNOTICED
from latchpin.model import Caller
from latchpin_admin_cli.taking_back import Broken, take_back
from latchpin_audit.log import AuditLog

from tests.providers import FaultSwitch, faults
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, Connected, InnerGateway, connect
from tests.support.gateway_process import settings_of

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
ROOT = Caller(ADMIN, is_admin=True, via="local")


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


async def pull(gateway: InnerGateway, caller: Caller = ROOT, **within: float) -> Broken:
    limit = timedelta(**within) if within else timedelta(seconds=60)
    return await take_back(gateway.application, caller, within=limit, now=itertools.count().__next__)


async def test_nothing_holds_afterwards_here_or_there(connected: Connected, gateway, provider):
    await connected.authorize(BOB)
    second = await gateway.add(provider.provider.mcp_url)
    other = Connected(gateway, provider, second)
    await other.authorize()
    bearer = await connected.bearer()
    async with gateway.browser(BOB) as browser:  # bob is on his way to the provider once more
        back = await gateway.returned(browser, connected.id)
        gateway.clock.advance(seconds=1)
        broken = await pull(gateway)
        late = await browser.open(back)
    assert (broken.connections, broken.revoked, broken.not_revoked, broken.answers) == (3, 3, 0, ())
    assert 0 < broken.seconds_here < broken.seconds
    assert late.status == 400
    assert provider.accounts.ledger.living() == []
    gateway.clock.advance(seconds=REMEMBERED.total_seconds() + 1)
    async with gateway.client(None, **bearer) as client:
        assert (await client.get(f"{BASE}/gateways")).status_code == 401
    for each in (connected, other):
        for user in (ALICE, BOB):
            status = (await each.status(user))["status"]  # with a bearer token that was made since
            assert status == "missing"
    entries = await AuditLog.of(gateway.application.services.context).records.list(after=0, limit=100)
    begun, done = [entry for entry in entries if entry.event.startswith("break-glass")]
    assert (begun.event, done.event) == ("break-glass.begun", "break-glass.done")
    assert {"connections": "3", "revoked": "3", "not_revoked": "0"}.items() <= dict(done.facts).items()
    assert begun.actor == done.actor


async def test_a_server_that_is_away_keeps_nothing_here(connected: Connected, gateway, provider):
    provider.arm("revoke", faults.hang())
    broken = await pull(gateway, milliseconds=300)
    assert (broken.connections, broken.revoked, broken.not_revoked) == (1, 0, 1)
    assert broken.answers == ("The authorization server did not answer in time.",)
    gateway.clock.advance(seconds=1)  # what was issued in the very second of it is ended too
    assert (await connected.status())["status"] == "missing"


async def test_what_was_kept_meanwhile_is_taken_too(connected: Connected, gateway, provider, monkeypatch):
    revoker = gateway.application.revoker
    revoke_all, once = revoker.revoke_all, [True]

    async def authorized_meanwhile(*given, **more):
        if once:
            once.pop()
            gateway.clock.advance(seconds=UNNOTICED.total_seconds() + 1)  # what is begun before is refused
            await connected.authorize(BOB)
        return await revoke_all(*given, **more)

    monkeypatch.setattr(revoker, "revoke_all", authorized_meanwhile)
    broken = await pull(gateway)
    assert (broken.connections, broken.revoked) == (2, 2)
    assert provider.accounts.ledger.living() == []


async def test_it_is_for_administrators(gateway: InnerGateway):
    with pytest.raises(Forbidden):
        await pull(gateway, Caller(ALICE))


@pytest.mark.backends("sqlite")
def test_the_command_asks_first_and_says_how_long_it_took(backend: GatewayBackend, tmp_path):
    asked = run_latchpin("break-glass", env=settings_of(backend), cwd=tmp_path)
    assert (asked.returncode, "Go on?" in asked.stderr) == (2, True)
    done = run_latchpin("break-glass", "--yes", env=settings_of(backend), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nothing holds here since" in done.stdout
    assert "Revoked at their servers: 0 of 0, after" in done.stdout
