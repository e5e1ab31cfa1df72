"""Whole flows: every step of every worker in one timeline, on every store; and what a store that is away changes."""

from __future__ import annotations

import json

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_flows.inspector import open_inspector
from latchpin_flows.summaries import FlowQuery

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr")

BEGIN = ["begun", "stored", "redirected"]
COMPLETE = ["returned", "verified", "consumed", "exchanged", "sealed"]


async def kept_flow(*gateways: InnerGateway):
    """The steps of the one flow that is kept."""
    for each in gateways:
        await (await open_inspector(each.application.services.context)).history.flush()
    flows = (await open_inspector(gateways[0].application.services.context)).records
    (flow,) = await flows.list(FlowQuery(), limit=9)
    return flow, await flows.get(flow.flow_id)


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_what_two_workers_did_is_one_timeline(pair, provider: FaultSwitch):
    one, two = pair
    gateway_id = await one.add(provider.provider.mcp_url)
    async with one.browser() as first, two.browser() as second:
        url = await one.returned(first, gateway_id)
        second.cookies.update(first.cookies)
        page = await second.open(url)
        assert page.title == "OAuth Authorization Successful"
    flow, steps = await kept_flow(one, two)
    assert (flow.outcome, flow.cause, flow.app_user_email, flow.gateway_id) == ("completed", None, ALICE, gateway_id)
    names = [step.step for step in steps]
    assert names[:8] == BEGIN + COMPLETE
    workers = [each.application.services.instance_id for each in pair]
    assert {step.worker for step in steps[:3]} == {workers[0]}
    assert {step.worker for step in steps[3:8]} == {workers[1]}
    assert steps[3].facts["issued_by"] == workers[0]
    token = await one.application.services.records.tokens.get(gateway_id, ALICE)
    assert token.flow_id == flow.flow_id


async def test_the_facts_of_a_flow_are_its_own_and_no_secret_is_among_them(on_backend, provider: FaultSwitch, tmp_path):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        async with gateway.browser() as browser:
            url = await gateway.returned(browser, gateway_id)
            page = await browser.open(url)
            page = await browser.submit(page.form(action="fetch-tools"))
            assert "Successfully fetched" in page.text
        _, steps = await kept_flow(gateway)
    facts = {step.step: step.facts for step in steps}
    assert list(facts) == [*BEGIN, *COMPLETE, "tools-fetched"]
    assert facts["begun"]["via"] == "proxy"
    assert facts["stored"]["store"] == facts["consumed"]["store"] == on_backend.label
    assert facts["stored"]["lifetime_seconds"] == 300
    assert facts["redirected"]["redirect_uri"] == f"{BASE}/oauth/callback"
    assert facts["redirected"]["code_challenge_method"] == "S256"
    assert (facts["returned"]["answer"], facts["consumed"]["fits"]) == ("code", True)
    assert facts["exchanged"]["server"] in provider.provider.mcp_url
    assert (facts["tools-fetched"]["count"], facts["tools-fetched"]["created"]) == (3, 3)
    written = repr(steps)
    for part in url.partition("?")[2].split("&"):
        value = part.partition("=")[2]
        assert len(value) < 12 or value not in written, part.partition("=")[0]


async def test_a_failure_is_the_last_step_with_its_cause(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        gateway.clock.advance(seconds=320)
        assert (await browser.open(url)).status == 400
    flow, steps = await kept_flow(gateway)
    assert (flow.outcome, flow.cause) == ("failed", "state-expired")
    assert [step.step for step in steps] == [*BEGIN, "returned", "failed"]
    assert "after the limit of 300 s" in steps[-1].facts["happened"]
    assert steps[3].facts["away_seconds"] >= 320


async def test_a_flow_that_cannot_begin_is_kept_too(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add("http://127.0.0.1:9/mcp")
    async with gateway.client(Accept="application/json") as api:
        answer = await api.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert answer.status_code == 502
    flow, steps = await kept_flow(gateway)
    assert flow.flow_id == answer.json()["flow_id"]
    assert [step.step for step in steps] == ["begun", "failed"]
    assert (flow.outcome, flow.cause) == ("failed", answer.json()["cause"])


async def test_tools_that_cannot_be_fetched_are_in_the_tokens_flow(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
        provider.arm("mcp", faults.status(500))
        page = await browser.submit(page.form(action="fetch-tools"))
        assert page.status == 502
    flow, steps = await kept_flow(gateway)
    assert (steps[-1].step, steps[-1].facts["during"]) == ("failed", "fetch-tools")
    assert flow.outcome == "completed"


async def test_a_history_that_cannot_be_written_disturbs_no_flow(gateway, provider: FaultSwitch, monkeypatch):
    async def away(*_args, **_options) -> None:
        raise BackendUnavailable("away")

    flows = (await open_inspector(gateway.application.services.context)).records
    append = flows.append
    monkeypatch.setattr(flows, "append", away)
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
        assert page.title == "OAuth Authorization Successful"
    monkeypatch.setattr(flows, "append", append)
    flow, _ = await kept_flow(gateway)
    assert flow.outcome == "completed"


async def test_what_waits_is_written_before_the_stores_are_closed(on_backend, provider: FaultSwitch):
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        async with gateway.browser() as browser:
            await gateway.returned(browser, gateway_id)
        flows = (await open_inspector(gateway.application.services.context)).records
    if not on_backend.shared:
        assert [flow.steps for flow in await flows.list(FlowQuery(), limit=9)] == [3]
    else:
        async with open_gateway() as later:
            _, steps = await kept_flow(later)
        assert [step.step for step in steps] == BEGIN


async def test_with_zero_hours_nothing_is_kept(environment, provider: FaultSwitch):
    environment.setenv("FLOW_HISTORY_HOURS", "0")
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        async with gateway.browser() as browser:
            await browser.open(await gateway.returned(browser, gateway_id))
        await gateway.application.close()
        assert (
            await (await open_inspector(gateway.application.services.context)).records.list(FlowQuery(), limit=9) == []
        )


async def test_every_line_of_a_flow_names_it_in_json(environment, provider: FaultSwitch, log):
    environment.setenv("LOG_FORMAT", "json")
    async with open_gateway() as gateway:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        async with gateway.browser() as browser:
            page = await browser.open(await gateway.returned(browser, gateway_id))
            await browser.submit(page.form(action="fetch-tools"))
        flow, _ = await kept_flow(gateway)
    lines = [json.loads(line) for line in log().splitlines()]
    about = [line for line in lines if gateway_id in line["message"] or "/oauth/callback" in line["message"]]
    assert len(about) >= 5
    without = [line["message"] for line in about if line.get("flow_id") != flow.flow_id]
    assert without == [f"Created gateway {gateway_id}"]
    loggers = {line["logger"] for line in lines if line.get("flow_id") == flow.flow_id}
    assert {"latchpin.flow", "latchpin.activity", "latchpin.access"} <= loggers
    assert not {"latchpin.flow_history"} & loggers
