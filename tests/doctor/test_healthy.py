"""A healthy gateway has no finding that is not well, on every store, with people connected and instances running."""

from __future__ import annotations

import pytest
from latchpin.contracts import Severity
from latchpin_doctor.running import run_checks

from tests.doctor.conftest import not_well, of_check, one
from tests.providers import FaultSwitch, sign_in
from tests.support.gateway_in_process import BASE, open_gateway


async def authorize(gateway, gateway_id: str) -> None:
    async with gateway.browser() as browser:
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        assert (await sign_in(browser)).title == "OAuth Authorization Successful"


@pytest.mark.needs("latchpin_dcr")
@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_beside_a_running_gateway(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, gateway_id)
        report = await diagnose()
    assert not_well(report) == []
    assert [each.title for each in report.findings if each.severity is Severity.SKIPPED] == []
    assert list(report.groups)[:5] == ["Settings", "Plugins", "Stores", "Instances", "Gateways"]
    assert "1 running instance and these settings have one secret" in one(report, "have one secret").title
    assert one(report, "offers PKCE").gateway_id == gateway_id
    assert one(report, "its server knows the client")
    assert one(report, "1 connection can be used or renewed").detail == "Connections: 1 valid."


@pytest.mark.needs("latchpin_dcr")
async def test_from_inside_a_running_gateway(settings, backend, provider: FaultSwitch):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, gateway_id)
        seen: list[str] = []
        report = await run_checks(gateway.application, progress=seen.append)
    expected = ["CACHE_TYPE=memory keeps states in one process"] if backend.name == "memory" else []
    assert [each.title for each in not_well(report)] == expected
    assert one(report, "can be used or renewed").gateway_id == gateway_id
    assert "the gateways" in seen


@pytest.mark.needs("latchpin_dcr")
@pytest.mark.backends("sqlite")
async def test_nothing_is_left_behind_and_nobody_is_disturbed(settings, provider: FaultSwitch, diagnose):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        await authorize(gateway, gateway_id)
        records = gateway.application.services.records
        before = [await records.gateways.list(), await records.tokens.list(), await records.clients.list()]
        values = gateway.application.services.kept
        kept = await values.list("")
        await diagnose()
        assert [await records.gateways.list(), await records.tokens.list(), await records.clients.list()] == before
        assert await values.list("") == kept
    assert len(of_check(await diagnose(offline=True), "gateways")) > 1
