"""The official Python SDK's client, given the URL alone, on each store; with two workers where they can share it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.front_door.clients import open_python_sdk
from tests.front_door.conftest import Behind, prove_the_whole_way
from tests.servers import GatewayBackend
from tests.support.gateway_process import DeployedGateway, deploy_gateway, start_pair

NEEDS = ("latchpin_authorization_server", "latchpin_dcr", "latchpin_proxy")


@pytest.fixture
def workers(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    start = start_pair if backend.shared else deploy_gateway
    with start(backend, tmp_path) as started:
        yield started


async def test_it_gets_in_and_stays_in_until_its_person_leaves(workers: DeployedGateway, behind: Behind):
    await prove_the_whole_way(workers, behind, open_python_sdk, "Python SDK")
