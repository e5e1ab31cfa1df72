"""An authorization that is one step of something else leads back to it, whether it comes to a good end or not."""

from __future__ import annotations

import pytest

from tests.providers import FaultSwitch, sign_in
from tests.support.gateway_in_process import BASE, InnerGateway

pytestmark = [pytest.mark.needs("latchpin_dcr", "latchpin_memory_store"), pytest.mark.usefixtures("both_ways")]

BACK = "/gateways?from=authorization"


async def begin(gateway: InnerGateway, provider: FaultSwitch, browser, *, path: str = BACK) -> str:
    gateway_id = await gateway.add(provider.provider.mcp_url, name="files")
    await browser.open(f"{BASE}/oauth/authorize/{gateway_id}?next={path.replace('?', '%3F')}")
    return gateway_id


async def test_success_leads_back(gateway: InnerGateway, provider: FaultSwitch):
    async with gateway.browser() as browser:
        await begin(gateway, provider, browser)
        page = await sign_in(browser)
        assert page.url == BASE + BACK


async def test_a_refusal_offers_the_way_back(gateway: InnerGateway, provider: FaultSwitch):
    async with gateway.browser() as browser:
        gateway_id = await begin(gateway, provider, browser)
        page = await sign_in(browser, allow=False)
        assert f'href="{BACK}">Go on without it' in page.text
        assert f'href="/oauth/authorize/{gateway_id}?next=' in page.text


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/x" * 300])
async def test_it_leads_to_short_paths_of_this_gateway_only(gateway: InnerGateway, provider: FaultSwitch, path: str):
    async with gateway.browser() as browser:
        await begin(gateway, provider, browser, path=path)
        page = await sign_in(browser)
        assert page.url.startswith(f"{BASE}/oauth/success?")
