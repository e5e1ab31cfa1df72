"""Who sees which flow, what the page shows of it, and where the support link stands."""

from __future__ import annotations

import html
import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import entry_points
from urllib.parse import parse_qsl

import httpx
import pytest
from latchpin.model.flow_steps import Failed
from latchpin.model.ids import is_id
from latchpin_flows import history
from latchpin_flows.inspector import open_inspector
from latchpin_flows.steps import MOST_STEPS
from latchpin_flows.timeline import build_timeline
from latchpin_testing import MovedClock, samples

from tests.providers import FaultSwitch, faults
from tests.records.stores import sample_flow
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway, open_gateway

pytestmark = pytest.mark.needs("latchpin_memory_store")

BOB = "bob@example.com"
HTML = {"accept": "text/html"}
COPY = '<script src="/static/copy.js" defer></script>'
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


async def put(gateway: InnerGateway, **options) -> list:
    """One flow of Alice's, in the store."""
    steps = sample_flow(gateway.clock() - timedelta(minutes=1), **{"app_user_email": ALICE, **options})
    await (await open_inspector(gateway.application.services.context)).records.append(steps, life=timedelta(hours=1))
    return steps


async def get(gateway: InnerGateway, path: str, user: str | None, **headers: str) -> httpx.Response:
    async with gateway.client(user, **headers) as client:
        return await client.get(BASE + path)


# -- who sees what ------------------------------------------------------------------------------------


async def test_administrators_see_all_flows_and_users_their_own(gateway: InnerGateway):
    alices, bobs = (await put(gateway), await put(gateway, app_user_email=BOB))
    for user, expected in ((ADMIN, {alices[0].flow_id, bobs[0].flow_id}), (ALICE, {alices[0].flow_id})):
        listed = (await get(gateway, "/flows", user)).json()
        assert {flow["flow_id"] for flow in listed["flows"]} == expected
    assert (await get(gateway, f"/flows?user={BOB}", ALICE)).json()["flows"] == []
    assert len((await get(gateway, f"/flows?user={BOB.upper()}", ADMIN)).json()["flows"]) == 1
    assert (await get(gateway, "/flows", "carol@example.com")).json()["flows"] == []


async def test_a_list_is_filtered_and_goes_on_where_it_ended(gateway: InnerGateway):
    flows = []
    for number in range(3):
        flows.append(await put(gateway, failed=number == 1))
        gateway.clock.advance(minutes=1)
    first = (await get(gateway, "/flows?limit=2", ALICE)).json()
    assert [flow["flow_id"] for flow in first["flows"]] == [flows[2][0].flow_id, flows[1][0].flow_id]
    async with gateway.client(ALICE) as client:
        rest = (await client.get(f"{BASE}/flows", params={"before": first["next_before"]})).json()
    assert [flow["flow_id"] for flow in rest["flows"]] == [flows[0][0].flow_id]
    assert rest["next_before"] is None
    (failed,) = (await get(gateway, "/flows?cause=state-used", ALICE)).json()["flows"]
    assert failed["flow_id"] == flows[1][0].flow_id
    assert (await get(gateway, "/flows?outcome=strange", ALICE)).status_code == 422
    assert (await get(gateway, "/flows?limit=1000", ALICE)).status_code == 422
    assert (await get(gateway, "/flows?before=2026-01-01T00:00:00", ALICE)).status_code == 400


async def test_a_page_may_end_between_flows_of_one_moment(gateway: InnerGateway):
    moment = gateway.clock()
    flows = [sample_flow(moment, app_user_email=ALICE) for _ in range(5)]
    records = (await open_inspector(gateway.application.services.context)).records
    await records.append(list(itertools.chain(*flows)), life=timedelta(hours=1))
    seen, before = [], ""
    async with gateway.client(ALICE) as client:
        while before is not None:
            page = (await client.get(f"{BASE}/flows", params={"limit": 2, "before": before})).json()
            seen += [flow["flow_id"] for flow in page["flows"]]
            before = page["next_before"]
    assert seen == sorted((flow[0].flow_id for flow in flows), reverse=True)


@pytest.mark.parametrize("place", ["2026-01-01T00:00:00", "soon", "2026-01-01T00:00:00Z~x", "~", "2026"])
async def test_what_is_no_place_in_the_list_is_refused_with_an_example(gateway: InnerGateway, place: str):
    async with gateway.client(ALICE) as client:
        refused = await client.get(f"{BASE}/flows", params={"before": place})
    assert (refused.status_code, refused.json()["cause"]) == (400, "invalid-request")
    assert "next_before" in refused.json()["remedy"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_time_beyond_all_dates_is_refused(gateway: InnerGateway, moment: str):
    async with gateway.client(ALICE) as client:
        assert (await client.get(f"{BASE}/flows", params={"before": moment})).status_code == 400


async def test_the_page_links_to_older_flows_of_the_same_kind(gateway: InnerGateway):
    for _ in range(2):
        await put(gateway)
        gateway.clock.advance(minutes=1)
    for path in ("/flows?limit=1", f"/flows?limit=1&user={ALICE}&outcome=completed"):
        page = await get(gateway, path, ADMIN, **HTML)
        link = html.unescape(re.search(r'href="[^"]*(/flows\?[^"]*before=[^"]*)"', page.text)[1])
        older = await get(gateway, link, ADMIN, **HTML)
        assert older.status_code == 200, link
        wanted = dict(pair.split("=") for pair in path.partition("?")[2].split("&"))
        asked = dict(parse_qsl(link.partition("?")[2]))
        assert {name: asked.get(name) for name in wanted if name != "limit"} == {
            name: value for name, value in wanted.items() if name != "limit"
        }


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_a_foreign_flow_is_answered_as_an_unknown_one(gateway: InnerGateway, accept: str):
    steps = await put(gateway)
    known, unknown = steps[0].flow_id, samples.new_id()
    for user in (ALICE, ADMIN):
        assert (await get(gateway, f"/flows/{known}", user, accept=accept)).status_code == 200
    answers = [await get(gateway, f"/flows/{each}", BOB, accept=accept) for each in (known, unknown, "x", "%00'")]
    seen = set()
    for answer in answers:
        own = {"date", "content-length"}
        headers = {name: value for name, value in answer.headers.items() if name not in own}
        body = re.sub(r'[0-9a-f]{32}|(?<=name="csrf_token" value=")[^"]+', "OWN", answer.text)
        seen.add((answer.status_code, json.dumps(headers, sort_keys=True), body))
    assert len(seen) == 1
    assert answers[0].status_code == 404


async def test_who_is_not_signed_in_learns_nothing(gateway: InnerGateway):
    steps = await put(gateway)
    for path in ("/flows", f"/flows/{steps[0].flow_id}", f"/flows/{samples.new_id()}"):
        assert (await get(gateway, path, None)).status_code == 401
        page = await get(gateway, path, None, **HTML)
        assert page.status_code == 303
        assert page.headers["location"].startswith(f"{BASE}/login?next=")


async def test_what_is_about_our_stores_is_for_administrators(gateway: InnerGateway):
    steps = await put(gateway)
    failure = Failed("callback", "store-unavailable", 503, "db.internal:5432 refused", True, None, None)
    facts = {name: getattr(failure, name) for name in failure.__slots__}
    failed = replace(steps[0], at=steps[-1].at + timedelta(seconds=1), step="failed", facts=facts)
    await (await open_inspector(gateway.application.services.context)).records.append([failed], life=timedelta(hours=1))
    for accept in ("application/json", "text/html"):
        for user, told in ((ADMIN, True), (ALICE, False)):
            answer = await get(gateway, f"/flows/{steps[0].flow_id}", user, accept=accept)
            assert ("db.internal" in answer.text) is told


# -- what is shown ------------------------------------------------------------------------------------


async def test_the_json_has_every_step_with_its_facts_and_a_failures_remedy(gateway: InnerGateway):
    steps = await put(gateway, failed=True)
    shown = (await get(gateway, f"/flows/{steps[0].flow_id}", ALICE)).json()
    assert (shown["outcome"], shown["cause"], shown["app_user_email"]) == ("completed", "state-used", ALICE)
    assert [each["step"] for each in shown["steps"]] == [step.step for step in steps]
    assert [each["since_start"] for each in shown["steps"]] == [float(number) for number in range(len(steps))]
    assert shown["steps"][3]["facts"] == {"answer": "code", "away_seconds": 12.5, "issued_by": "worker-1"}
    failed = shown["steps"][-1]
    assert (failed["cause"], failed["happened"]) == ("state-used", "it was used before")
    assert failed["remedy"]
    assert failed["facts"].keys() == {"during", "status", "provider_error", "issued_by"}


async def test_the_page_says_in_text_what_the_picture_shows(gateway: InnerGateway):
    steps = await put(gateway, failed=True)
    page = (await get(gateway, f"/flows/{steps[0].flow_id}", ALICE, **HTML)).text
    assert page.count("<svg ") == page.count('<svg class="bar-picture"') == len(steps)
    assert page.count('aria-hidden="true" focusable="false"') == len(steps)
    for step in steps:
        assert f"<h3>{step.step.replace('-', ' ')}</h3>" in page
    for text in (
        "+3.0 s",
        "took 3.0 ms",
        "worker-2",
        "it was used before",
        "What to do:",
        "12.5 s later" if 0 else "later",
    ):
        assert text in page
    assert f"{BASE}/flows/{steps[0].flow_id}" in page
    assert not re.search(r"<script|\sstyle=|\son\w+=", page.replace(COPY, ""))


async def test_nothing_foreign_runs_on_the_pages(gateway: InnerGateway):
    steps = await put(gateway, issuer=HOSTILE)
    for path in ("/flows", f"/flows/{steps[0].flow_id}"):
        page = await get(gateway, path, ADMIN, **HTML)
        assert "<script" not in page.text.replace(COPY, "")
        assert "49" not in re.findall(r"issuer</dt><dd>([^<]*)", page.text)
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_an_empty_list_says_what_to_do(gateway: InnerGateway, environment):
    page = (await get(gateway, "/flows", ALICE, **HTML)).text
    assert "presses Authorize" in page
    assert "24 hours" in page
    assert "No flow matches" in (await get(gateway, "/flows?outcome=failed", ALICE, **HTML)).text
    environment.setenv("FLOW_HISTORY_HOURS", "0")
    page = (await get(gateway, "/flows", ALICE, **HTML)).text
    assert "<code>FLOW_HISTORY_HOURS</code> is 0" in page
    assert "presses Authorize" not in page
    await put(gateway)
    page = (await get(gateway, "/flows", ALICE, **HTML)).text
    assert "presses Authorize" not in page
    assert "completed" in page


@pytest.mark.parametrize(("user", "count"), [(ALICE, "1"), (BOB, "0"), (ADMIN, "1")])
async def test_the_overview_counts_failed_flows_ones_own_or_everybodys(gateway: InnerGateway, user: str, count: str):
    steps = sample_flow(gateway.clock(), failed=True, app_user_email=ALICE)
    records = (await open_inspector(gateway.application.services.context)).records
    for each in ([*steps[:5], steps[-1]], sample_flow(gateway.clock(), app_user_email=ALICE)):
        await records.append(each, life=timedelta(hours=1))
    page = (await get(gateway, "/", user, **HTML)).text
    assert f'<a href="/flows?outcome=failed">Failed flows</a></h2>\n    <p class="number">{count}</p>' in page


# -- the picture --------------------------------------------------------------------------------------


def test_bars_stand_side_by_side_with_gaps_between_requests():
    steps = [replace(step, seconds=0.01) for step in sample_flow(MovedClock()())]
    rows, gaps = build_timeline(steps)
    assert len(gaps) == 2, "the callback, and fetching the tools"
    for one, next_ in itertools.pairwise(rows):
        between = [gap.width for gap in gaps if one.bar.left < gap.left < next_.bar.left]
        assert next_.bar.left == pytest.approx(one.bar.left + one.bar.width + sum(between), abs=1)
    assert rows[-1].bar.left + rows[-1].bar.width == pytest.approx(1000, abs=1)
    assert [row.away != "" for row in rows] == [step.step in {"returned", "tools-fetched"} for step in steps]


@pytest.mark.parametrize("seconds", [0.0, 0.001, 1e6])
def test_every_bar_of_the_longest_flow_is_in_the_picture(seconds: float):
    step = replace(sample_flow(MovedClock()())[3], seconds=seconds)
    steps = [replace(step, at=step.at + timedelta(seconds=number)) for number in range(MOST_STEPS)]
    rows, gaps = build_timeline(steps)
    assert all(row.bar.left >= 0 and row.bar.width > 0 and row.bar.left + row.bar.width <= 1000 for row in rows)
    assert all(gap.left >= 0 and gap.left + gap.width <= 1000 for gap in gaps)
    assert build_timeline(steps[:1])[1] == []


# -- the support link ---------------------------------------------------------------------------------


async def test_the_failure_page_and_the_problem_link_to_the_flow(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("token", faults.oauth_error("invalid_grant"))
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        page = await browser.open(url)
        (link,) = set(re.findall(rf"{BASE}/flows/[0-9a-f]{{32}}", page.text))
        shown = await browser.open(link)
        assert shown.status == 200
        assert "exchanged" not in shown.text
        assert "failed" in shown.text
        async with gateway.client(ALICE, Accept="application/json") as program:
            program.cookies = browser.cookies
            assert (await program.get(url)).json()["flow_url"] == link
    assert (await get(gateway, link.removeprefix(BASE), BOB)).status_code == 404


async def test_a_flow_that_cannot_begin_has_a_support_link(gateway: InnerGateway):
    gateway_id = await gateway.add("http://127.0.0.1:9/mcp")
    answer = await get(gateway, f"/oauth/authorize/{gateway_id}", ALICE)
    assert (await get(gateway, answer.json()["flow_url"].removeprefix(BASE), ALICE)).json()["outcome"] == "failed"


async def test_the_list_has_what_happened_a_moment_ago(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "GATHERING", 3600)
    gateway_id = await gateway.add("http://127.0.0.1:9/mcp")
    begun = (await get(gateway, f"/oauth/authorize/{gateway_id}", ALICE)).json()
    for user in (ALICE, ADMIN):
        listed = (await get(gateway, "/flows", user)).json()["flows"]
        assert [(flow["flow_id"], flow["outcome"]) for flow in listed] == [(begun["flow_id"], "failed")]


async def test_no_link_where_nothing_is_proven(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(None) as other:
        url = await gateway.returned(browser, gateway_id)
        foreign = await other.get(url)
        assert foreign.json()["cause"] == "browser-changed"
        assert "flow_url" not in foreign.json()
    assert "flow_url" not in (await get(gateway, f"/gateways/{samples.new_id()}", ALICE)).json()


@pytest.mark.parametrize("hours", ["0", "1"])
async def test_a_link_only_where_flows_are_kept(environment, hours: str):
    environment.setenv("FLOW_HISTORY_HOURS", hours)
    async with open_gateway() as gateway:
        unreachable = await gateway.add("http://127.0.0.1:9/mcp")
        told = (await get(gateway, f"/oauth/authorize/{unreachable}", ALICE)).json()
    assert ("flow_url" in told) is (hours == "1")
    assert told["flow_id"]


async def test_without_the_distribution_nothing_leads_to_flows_and_a_failure_names_its_flow(
    environment, monkeypatch: pytest.MonkeyPatch
):
    found = [point for point in entry_points(group="latchpin") if point.name != "flows"]
    monkeypatch.setattr("latchpin.plugins.host.entry_points", lambda group: found)
    async with open_gateway() as gateway:
        unreachable = await gateway.add("http://127.0.0.1:9/mcp")
        told = (await get(gateway, f"/oauth/authorize/{unreachable}", ALICE)).json()
        assert told["cause"]
        assert is_id(told["flow_id"])
        assert "flow_url" not in told
        for path in ("/", "/admin/gateways", f"/admin/gateways/{unreachable}"):
            page = await get(gateway, path, ADMIN, **HTML)
            assert page.status_code == 200
            assert "/flows" not in page.text
        assert (await get(gateway, "/flows", ADMIN, **HTML)).status_code == 404
        assert "latchpin_pending_flows" not in (await get(gateway, "/metrics", ADMIN)).text
