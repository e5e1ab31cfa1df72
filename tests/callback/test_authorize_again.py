"""A failure's page offers to authorize again, at the gateway that it was about, to whom that may be told."""

from __future__ import annotations

import pytest

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import BASE

pytestmark = [pytest.mark.needs("latchpin_dcr", "latchpin_memory_store"), pytest.mark.usefixtures("both_ways")]

HTML = "text/html"
AGAIN = "Authorize again"


def offers(text: str, gateway_id: str) -> bool:
    told = f'data-authorization="failed" data-gateway="{gateway_id}"' in text
    shown = f'href="/oauth/authorize/{gateway_id}">{AGAIN}</a>' in text
    assert told == shown == (AGAIN in text)
    return told


async def test_after_the_providers_refusal_and_after_its_garbage(gateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        refused = await browser.open(f"{url.partition('?')[0]}?error=access_denied&{url.partition('&')[2]}")
        assert (refused.status, offers(refused.text, gateway_id)) == (403, True)
        repeated = await browser.open(url)
        assert (repeated.status, offers(repeated.text, gateway_id)) == (400, True)


async def test_not_to_another_browser_and_not_where_nothing_is_known(gateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(Accept=HTML) as other:
        url = await gateway.returned(browser, gateway_id)
        foreign = await other.get(url)
        assert (foreign.status_code, offers(foreign.text, gateway_id)) == (403, False)
        assert gateway_id not in foreign.text
        forged = await other.get(f"{BASE}/oauth/callback?code=x&state=y")
        assert (forged.status_code, AGAIN in forged.text) == (400, False)


async def test_where_it_could_not_be_begun(gateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("register", faults.status(500))
    async with gateway.client(Accept=HTML) as client:
        failed = await client.get(f"{BASE}/oauth/authorize/{gateway_id}")
        assert (failed.status_code, offers(failed.text, gateway_id)) == (502, True)
        assert "script-src 'self'" in failed.headers["content-security-policy"]
        unknown = await client.get(f"{BASE}/oauth/authorize/{'0' * 32}")
        assert (unknown.status_code, AGAIN in unknown.text) == (404, False)
        nothing = await gateway.add("https://plain.example.com/mcp", auth_type="none")
        refused = await client.get(f"{BASE}/oauth/authorize/{nothing}")
        assert (refused.status_code, AGAIN in refused.text) == (400, False)


async def test_an_answer_names_a_flow_only_where_there_is_one_to_look_at(gateway, provider: FaultSwitch, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client() as client:
        url = await gateway.returned(browser, gateway_id)
        assert (await browser.open(url)).status == 200
        client.cookies = browser.cookies
        flows = []
        for path, is_flow in (
            (url, True),
            ("/gateways/" + "0" * 32, False),
            ("/nothing", False),
            (f"/oauth/authorize/{'0' * 32}", False),
            ("/oauth/callback?code=x&state=y", False),
            ("/oauth/success", False),
        ):
            problem = (await client.get(path if path.startswith("http") else BASE + path)).json()
            assert ("flow_id" in problem, "request_id" in problem) == (is_flow, not is_flow), path
            shown = await client.get(f"{BASE}/flows/{problem.get('flow_id') or problem['request_id']}")
            assert (shown.status_code == 200) is is_flow, path
            flows.append(problem)
    for problem in flows[1:]:
        assert f"request {problem['request_id']}" in log()
    assert f"flow {flows[0]['flow_id']}" in log()
