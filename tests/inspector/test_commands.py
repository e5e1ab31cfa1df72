"""``latchpin flows``, as an operator types it beside a store that lasts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from latchpin_flows.records import FlowRecords
from latchpin_testing import SuiteContext

from tests.records.stores import sample_flow
from tests.servers import GatewayBackend, latchpin_command, run_latchpin
from tests.support.gateway_process import settings_of

pytestmark = pytest.mark.backends("sqlite")

LIFE = timedelta(hours=1)


@pytest.fixture
async def flows(backend: GatewayBackend):
    """The history in the store that the commands open."""
    from latchpin_sql_store import plugin
    from latchpin_sql_store.settings import SqlSettings

    settings = SqlSettings(database_url=backend.environment["DATABASE_URL"])
    async with SuiteContext() as context, plugin.latchpin_record_store().open(settings, context) as records:
        yield FlowRecords(records.collection)


@pytest.fixture
def latchpin(backend: GatewayBackend, tmp_path: Path):
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return run_latchpin(*arguments, env=settings_of(backend) | settings, cwd=tmp_path)

    return run


@pytest.mark.slow
async def test_flows_are_listed_and_shown(flows, latchpin):
    empty = latchpin("flows", "list", FLOW_HISTORY_HOURS="0")
    assert empty.returncode == 0
    assert "FLOW_HISTORY_HOURS is 0" in empty.stderr
    steps = sample_flow(datetime.now(UTC), failed=True)
    await flows.append([*steps, *sample_flow(datetime.now(UTC))], life=LIFE)
    flow_id = steps[0].flow_id
    listed = json.loads(latchpin("flows", "list", "--cause", "state-used", "--json").stdout)
    assert [flow["flow_id"] for flow in listed] == [flow_id]
    shown = latchpin("flows", "show", flow_id).stdout
    for text in (*(step.step for step in steps), "state-used: it was used before", "remedy:"):
        assert text in shown
    assert len(json.loads(latchpin("flows", "show", flow_id, "--json").stdout)["steps"]) == 10
    unknown = latchpin("flows", "show", "nothing")
    assert (unknown.returncode, "no flow with the id" in unknown.stderr) == (1, True)
    assert "four digits" in unknown.stderr
    assert "sign in" not in unknown.stderr  # that is for a page's reader


@pytest.mark.slow
async def test_what_is_mistyped_is_told_and_not_taken_for_an_empty_list(flows, latchpin):
    assert "There is no flow yet" in latchpin("flows", "list").stderr
    await flows.append(sample_flow(datetime.now(UTC), gateway_id="a" * 32), life=LIFE)
    for arguments, told in (
        (("--outcome", "odd"), "allowed: pending"),
        (("--cause", "state-expird"), "Did you mean state-expired"),
        (("--gateway", "Exampel"), "no gateway with the id or name 'Exampel'"),
    ):
        done = latchpin("flows", "list", *arguments, "--json")
        assert (done.returncode, done.stdout, told in done.stderr) == (1, "", True), arguments
    for arguments, count in (("--gateway", "a" * 32), 1), (("--gateway", "b" * 32), 0), (("--cause", "state-used"), 0):
        done = latchpin("flows", "list", *arguments, "--json")
        assert (done.returncode, len(json.loads(done.stdout))) == (0, count), arguments
    assert "No flow matches" in latchpin("flows", "list", "--user", "nobody@example.com").stderr
    assert (
        latchpin("gateways", "add", "https://mcp.example.com/mcp", "--name", "Example", "--no-discover").returncode == 0
    )
    assert json.loads(latchpin("flows", "list", "--gateway", "Example", "--json").stdout) == []


@pytest.mark.slow
async def test_tail_follows_new_steps_until_it_is_interrupted(flows, backend: GatewayBackend, tmp_path: Path):
    await flows.append(sample_flow(datetime.now(UTC) - timedelta(minutes=5)), life=LIFE)
    arguments = (latchpin_command(), "flows", "tail", "--json")
    env = {**os.environ, **settings_of(backend), "PYTHONFAULTHANDLER": "1"}
    process = await asyncio.create_subprocess_exec(*arguments, env=env, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        # Steps of the near future: they are new whenever the command begins to look.
        steps = sample_flow(datetime.now(UTC) + timedelta(minutes=10))
        await flows.append(steps[:3], life=LIFE)
        async with asyncio.timeout(180):
            lines = [json.loads(await process.stdout.readline()) for _ in range(3)]
            await flows.append(steps, life=LIFE)
            lines += [json.loads(await process.stdout.readline()) for _ in range(6)]
            assert [(line["flow_id"], line["step"]) for line in lines] == [(step.flow_id, step.step) for step in steps]
            process.send_signal(signal.SIGINT)
            assert (await process.communicate())[0] == b""
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGABRT)  # it says where it hangs before it goes
            await process.wait()
