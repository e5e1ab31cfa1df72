"""``--fix``: it says what, asks, does it, and checks again; where nobody can be asked it changes nothing."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from latchpin.errors import RegistrationFailed
from latchpin.plugins.host import Plugins
from latchpin_doctor.examination import open_examination
from latchpin_doctor.running import examine
from latchpin_testing import samples

from tests.doctor.conftest import not_well, one, run_doctor
from tests.doctor.test_healthy import authorize
from tests.providers import FaultSwitch
from tests.providers.faults import oauth_error
from tests.servers import GatewayBackend, latchpin_command
from tests.support.gateway_in_process import SECRET, open_gateway
from tests.support.gateway_process import settings_of

DATABASE = pytest.mark.backends("sqlite", "postgres")
LONG_AGO = timedelta(hours=1)


async def leave_states(count: int) -> None:
    """Begin authorizations that nobody finished, an hour ago, with no gateway running since."""
    async with open_gateway() as gateway:
        now = datetime.now(UTC)
        for _ in range(count):
            begun = samples.pending_authorization(now - 2 * LONG_AGO, ttl=LONG_AGO)
            await gateway.application.services.states.put(begun)


@DATABASE
def test_it_migrates_after_saying_so(backend: GatewayBackend, tmp_path: Path):
    env = settings_of(backend)
    ended = run_doctor(env, tmp_path, "--fix")
    assert "Nothing was changed: nobody can be asked here." in ended.stderr
    before = next(each for each in ended.findings if each["fix"])
    assert before["command"] == "latchpin db upgrade"
    assert before["cause"] == "schema-outdated"
    assert before["severity"] == ("failure" if backend.name == "postgres" else "warning")

    ended = run_doctor(env, tmp_path, "--fix", "--yes")
    assert ended.returncode == 0
    said, did = ended.stderr.index("This can be mended now:"), ended.stderr.index("Done: the schema is")
    assert said < ended.stderr.index("Bring the schema of") < did
    assert [each for each in ended.findings if each["fix"]] == []
    assert [each["severity"] for each in ended.findings if each["check"] == "stores"] == ["ok", "ok"]


@DATABASE
async def test_it_purges_what_is_left_over_and_nothing_else(settings, diagnose):
    await leave_states(3)
    alive = samples.pending_authorization(datetime.now(UTC))
    async with open_gateway() as gateway:
        await gateway.application.services.states.put(alive)
    report = await diagnose()
    finding = one(report, "3 expired states are left over")
    assert finding.command == "latchpin states purge"
    assert [fix.what for fix in report.fixes] == ["Remove 3 expired states."]
    assert await report.fixes[0].apply() == "3 removed."
    assert not_well(await diagnose()) == []
    async with open_gateway() as gateway:
        assert await gateway.application.services.states.consume(alive.key) == alive


@pytest.mark.needs("latchpin_dcr")
@pytest.mark.backends("sqlite", "redis")
async def test_it_registers_anew_what_the_server_has_forgotten(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, gateway_id)
        ledger = provider.accounts.ledger
        (forgotten,) = list(ledger.clients.values())
        ledger.delete_client(forgotten)
        finding = one(await diagnose(), "its server does not accept the client")
        assert (finding.severity, finding.cause, finding.command) == (
            "failure",
            "client-forgotten",
            "latchpin doctor --fix",
        )
        clients = gateway.application.services.records.clients

        provider.arm("register", oauth_error("invalid_client_metadata"))
        async with open_examination(Plugins()) as examination:
            (fix,) = (await examine(examination)).fixes
            assert forgotten.id in fix.what
            with pytest.raises(RegistrationFailed):
                await fix.apply()
            assert [each.client_id for each in await clients.list()] == [forgotten.id], "the old one is still there"
            provider.heal()
            said = await fix.apply()
        (kept,) = await clients.list()
        assert kept.client_id != forgotten.id
        assert kept.client_id in said
        assert not_well(await diagnose()) == []


@pytest.mark.needs("latchpin_dcr")
@pytest.mark.backends("sqlite")
async def test_it_registers_anew_what_no_key_opens(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        await authorize(gateway, await gateway.add(provider.provider.mcp_url))
    settings.setenv("AUTH_ENCRYPTION_SECRET", SECRET[::-1])
    finding = one(await diagnose(), "its client's secret opens with no key")
    assert finding.cause == "unsealable"
    assert finding.fix is not None
    assert [fix.what for fix in (await diagnose(offline=True)).fixes] == [], "offline, nothing can be registered"


@pytest.mark.slow
@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(("answer", "done"), [(b"n\n", False), (b"y\n", True)])
async def test_at_a_terminal_it_asks(settings, backend: GatewayBackend, tmp_path: Path, answer: bytes, done: bool):
    await leave_states(2)
    said = await asyncio.to_thread(at_a_terminal, answer, settings_of(backend), tmp_path)
    assert "Remove 2 expired states." in said
    assert "Do it?" in said
    assert ("2 removed." in said) is done


def at_a_terminal(answer: bytes, env: dict[str, str], folder: Path) -> str:
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    ended = subprocess.run(
        [latchpin_command(), "doctor", "--fix"],
        cwd=folder,
        env=env | {"PATH": os.environ["PATH"]},
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    os.close(ours)
    os.close(theirs)
    return ended.stderr
