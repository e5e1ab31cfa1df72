"""The main job on MariaDB: over real HTTP, with two workers, from the first authorization to the disconnect."""

from __future__ import annotations

from pathlib import Path

from tests.front_door.clients import open_python_sdk
from tests.front_door.conftest import Behind, behind, prove_the_whole_way
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend
from tests.support.gateway_process import ALICE, complete_on_the_other, start_pair
from tests.token_refresh.conftest import call_at_once

__all__ = ["behind"]


async def test_what_one_worker_began_the_other_completes(mariadb_backend: GatewayBackend, tmp_path: Path):
    with start_fault_switch() as switch, start_pair(mariadb_backend, tmp_path) as pair:
        gateway = await complete_on_the_other(pair, switch.provider)
        async with pair.api(ALICE) as alice:
            stored = await alice.get(f"/gateways/{gateway}/tools")
            assert {tool["name"] for tool in stored.json()["tools"]} == switch.provider.tools
            await _disconnect(alice, gateway, switch)
        assert f"DEBUG - Stored OAuth state in {mariadb_backend.label} for gateway {gateway}" in pair.log
        assert "Traceback" not in pair.log


async def _disconnect(alice, gateway: str, switch: FaultSwitch) -> None:
    assert (await _status(alice, gateway)) == "valid"
    gone = await alice.delete(f"/oauth/tokens/{gateway}")
    assert gone.status_code == 200, gone.text
    assert switch.asked("revoke"), "the provider was not told"
    assert (await _status(alice, gateway)) == "missing"
    assert (await alice.post(f"/oauth/fetch-tools/{gateway}")).status_code == 401


async def _status(alice, gateway: str) -> str:
    return (await alice.get(f"/oauth/status/{gateway}")).json()["user_token_status"]["status"]


async def test_a_hundred_callers_of_two_workers_cost_one_refresh(mariadb_backend: GatewayBackend, tmp_path: Path):
    outcome = await call_at_once(mariadb_backend, tmp_path, callers=100)
    assert outcome.refreshes == 1
    assert outcome.statuses == {200: 100}
    assert outcome.bearers == {"alice-access-1": 100}
    assert len(outcome.workers) == 2, outcome.workers


async def test_a_client_that_knows_one_url_gets_in_until_its_person_leaves(
    mariadb_backend: GatewayBackend, tmp_path: Path, behind: Behind
):
    with start_pair(mariadb_backend, tmp_path) as pair:
        await prove_the_whole_way(pair, behind, open_python_sdk, "Python SDK")
