"""/metrics after real flows: what is counted, who may read it, and what no label may hold."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.providers import faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("METRICS_TOKEN", TOKEN)
    return environment


async def read(gateway, *, headers=None, user=None):
    async with gateway.client(user, **(headers or {"Authorization": f"Bearer {TOKEN}"})) as client:
        return await client.get(f"{BASE}/metrics")


async def samples(gateway):
    """Sample names and labels to values."""
    answer = await read(gateway)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_flow_is_counted_with_its_steps_its_servers_and_its_store(connected, gateway, provider):
    assert (await connected.fetch()).status_code == 200
    seen = await samples(gateway)
    assert seen["latchpin_flows_total", ("cause", ""), ("outcome", "begun")] == 1
    assert seen["latchpin_flows_total", ("cause", ""), ("outcome", "completed")] == 1
    assert seen["latchpin_tool_fetches_total", ("cause", ""), ("outcome", "fetched")] == 1
    for step in ("begun", "stored", "redirected", "returned", "verified", "consumed", "exchanged", "sealed"):
        assert seen["latchpin_flow_step_seconds_count", ("step", step)] == 1
    assert seen["latchpin_store_seconds_count", ("operation", "states.consume"), ("outcome", "ok")] == 1
    host = ("host", "127.0.0.1")
    assert seen["latchpin_upstream_seconds_count", host, ("method", "POST"), ("outcome", "200")] >= 2
    route = ("route", "/oauth/authorize/{gateway_id}")
    assert seen["latchpin_request_seconds_count", ("method", "GET"), route, ("status", "302")] == 1
    assert seen["latchpin_tokens", ("state", "valid")] == 1
    assert seen[("latchpin_store_up",)] == 1
    assert seen[("latchpin_pending_flows",)] == 0


async def test_what_failed_is_counted_by_its_cause(connected, gateway, provider):
    provider.arm("token", faults.status(500))
    async with gateway.browser() as browser:
        callback = await gateway.returned(browser, connected.id)
        await browser.open(callback)
        await browser.open(callback)  # reloaded
    seen = await samples(gateway)
    flows = {key[1][1]: (key[2][1], count) for key, count in seen.items() if key[0] == "latchpin_flows_total"}
    failed = {cause: count for cause, (outcome, count) in flows.items() if outcome == "failed"}
    assert failed["state-used"] == 1
    assert sum(failed.values()) == 2


async def test_a_refresh_and_a_spent_token_are_told_apart(connected, gateway, provider):
    gateway.clock.advance(days=1)
    assert (await connected.fetch()).status_code == 200
    provider.arm("token", faults.oauth_error("invalid_grant"))
    gateway.clock.advance(days=1)
    assert (await connected.fetch()).status_code == 401
    seen = await samples(gateway)
    assert seen["latchpin_refreshes_total", ("outcome", "refreshed")] == 1
    assert seen["latchpin_refreshes_total", ("outcome", "spent")] == 1
    assert seen["latchpin_tokens", ("state", "needs_reauth")] == 1


async def test_no_label_names_a_person_a_gateway_or_a_secret(connected, gateway, provider):
    async with gateway.client() as stranger:
        await stranger.get(f"{BASE}/no/such/{ALICE}?code=secret")
        await stranger.request("BREW", f"{BASE}/coffee")
    text = (await read(gateway)).text
    held = [*connected.bearers(), ALICE, ADMIN, connected.id, "code=", "secret", "BREW", "coffee", "/mcp/"]
    for word in held:
        assert word.removeprefix("Bearer ") not in text
    assert not re.search(r"[0-9a-f]{32}", text)


@pytest.mark.parametrize(
    ("headers", "user", "status"),
    [
        ({}, None, 401),
        ({}, ALICE, 403),
        ({}, ADMIN, 200),
        ({"Authorization": "Bearer another-token-for-prometheus"}, None, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, None, 200),
    ],
)
async def test_the_token_and_administrators_may_read(gateway, headers, user, status):
    answer = await read(gateway, headers={"Accept": "text/plain", **headers}, user=user)
    assert answer.status_code == status
    assert ("latchpin_info" in answer.text) is (status == 200)


async def test_a_store_that_is_away_is_said_to_be(gateway):
    from latchpin.errors import BackendUnavailable

    async def away(_):
        raise BackendUnavailable("away")

    gateway.app.state.services.records.tokens.count = away
    assert (await samples(gateway))[("latchpin_store_up",)] == 0


async def test_a_listener_that_fails_disturbs_nothing(connected, gateway, monkeypatch):
    monkeypatch.setattr("latchpin_metrics.counting.meters", lambda: 1 / 0)
    assert (await connected.fetch()).status_code == 200
    monkeypatch.undo()
    assert isinstance(await read(gateway), httpx.Response)
