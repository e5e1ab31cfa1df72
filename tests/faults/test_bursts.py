"""Many at once: what is admitted is served, what is not is refused with a word about when, and nothing piles up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers import FaultSwitch
from tests.servers import GatewayBackend
from tests.support.gateway_process import USER_HEADER, deploy_gateway, start_pair

pytestmark = pytest.mark.needs("latchpin_dcr")

MANY = 200


@contextlib.asynccontextmanager
async def everybody(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with as many connections as there are requests."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, trust_env=False, timeout=60) as client:
        yield client


async def ask_at_once(client: httpx.AsyncClient, path: str) -> list[httpx.Response]:
    """As many people ask at once."""
    people = ({USER_HEADER: f"person{number}@example.com"} for number in range(MANY))
    return await asyncio.gather(*(client.get(path, headers=person) for person in people))


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_as_many_people_as_come_at_once_begin_to_authorize(
    backend: GatewayBackend, tmp_path: Path, fault_switch: FaultSwitch
):
    with start_pair(backend, tmp_path) as pair:
        gateway = await pair.add(fault_switch.provider.mcp_url)
        async with everybody(pair.url) as client:
            answers = await ask_at_once(client, f"/oauth/authorize/{gateway}")
        assert Counter(answer.status_code for answer in answers) == {302: MANY}
        assert len({answer.headers["location"] for answer in answers}) == MANY


@pytest.mark.backends("postgres", "redis")
async def test_a_database_that_stood_still_is_no_hindrance_afterwards(
    backend: GatewayBackend, tmp_path: Path, fault_switch: FaultSwitch, request: pytest.FixtureRequest
):
    server: Any = request.getfixturevalue({"postgres": "postgres", "redis": "redis_server"}[backend.name])
    with deploy_gateway(backend, tmp_path) as deployed:
        gateway = await deployed.add(fault_switch.provider.mcp_url)
        async with everybody(deployed.url) as client:
            with server.paused():
                refused = await ask_at_once(client, f"/oauth/status/{gateway}")
                assert (await client.get("/health")).status_code == 200
            served = await ask_at_once(client, f"/oauth/status/{gateway}")
    assert Counter(answer.status_code for answer in refused) == {503: MANY}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert Counter(answer.status_code for answer in served) == {200: MANY}
