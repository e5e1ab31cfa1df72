"""A failed registration is one line in the log, however it fails."""

from __future__ import annotations

import pytest

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import BASE, InnerGateway


@pytest.mark.needs("latchpin_memory_store")
@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("register", faults.oauth_error("invalid_client_metadata", "no")),
        ("register", faults.status(503)),
        ("metadata", faults.without("registration_endpoint")),
        ("metadata", faults.html()),
    ],
)
async def test_a_failed_registration_logs_one_warning(
    gateway: InnerGateway, provider: FaultSwitch, log, endpoint: str, fault: faults.Fault
):
    provider.arm(endpoint, fault)
    provider.arm("openid", faults.status(404))
    gateway_id = await gateway.add(provider.provider.mcp_url)
    before = log().count("WARNING")
    async with gateway.client(Accept="application/json") as client:
        assert (await client.get(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 502
    said = [line for line in log().splitlines() if "WARNING" in line][before:]
    assert len(said) == 1, said
