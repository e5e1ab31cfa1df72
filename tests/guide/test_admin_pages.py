"""The guide's walk through the pages, by a person who signs in with a login link, and the table of endpoints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from latchpin_demo.browser import Browser

from tests.guide import commands as guide
from tests.guide.conftest import GuidedGateway, hand_made_client, in_guides_place
from tests.providers import FaultSwitch, sign_in
from tests.servers import GatewayBackend
from tests.support.gateway_process import ADMIN, ALICE, DeployedGateway, deploy_gateway

pytestmark = pytest.mark.slow


def link(text: str, words: str) -> str:
    """Where the first link with these words leads."""
    found = re.search(rf'<a\b[^>]*href="([^"]+)"[^>]*>{words}</a>', text)
    assert found is not None, words
    return found[1]


async def come_in(deployed: DeployedGateway, browser: Browser) -> None:
    """Sign in with the link that a first start prints."""
    line = deployed.process.wait_for_output("/login?token=")
    found = re.search(r"http\S+/login\?token=\S+", line)
    assert found is not None
    page = await browser.open(found[0])
    await browser.submit(page.form(action="/login"))


async def test_the_admin_flow_step_by_step(backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path):
    panel, gateways, auth_type, authorize, fetch = guide.ADMIN_FLOW.text.splitlines()
    by_link = {"TRUSTED_USER_HEADER": "", "TRUSTED_PROXIES": ""}  # the first link is for where no proxy signs people in
    with deploy_gateway(backend, tmp_path, **(dict(in_guides_place(backend)) | by_link)) as deployed:
        client = hand_made_client(provider, deployed.url)
        gateway = await deployed.add(provider.provider.mcp_url, name="Notes", oauth_config=client)
        open_one = await deployed.add(provider.provider.mcp_url, name="Open", auth_type="none")
        async with deployed.browser(None) as browser:
            await come_in(deployed, browser)
            assert "/login?token=" not in deployed.log  # it signs in as administrator: for stderr only
            page = await browser.open(deployed.url)
            page = await browser.open(deployed.url + link(page.text, panel))
            page = await browser.open(deployed.url + link(page.text, gateways))
            card = page.text.partition(f'id="gateway-{gateway}"')[2].partition("</li>")[0]
            assert auth_type in card
            other = page.text.partition(f'id="gateway-{open_one}"')[2].partition("</li>")[0]
            assert f">{authorize}<" not in other
            target = link(card, authorize)
            assert target == f"/oauth/authorize/{gateway}"
            page = await browser.open(deployed.url + target)
            assert page.url.startswith(provider.provider.issuer)
            page = await sign_in(browser)
            assert page.title == guide.SUCCESS_TITLE.text
            page = await browser.submit(page.form(button=fetch))
            assert "Successfully fetched and created 3 tools" in page.text
            assert all(name in page.text for name in provider.provider.tools)


@pytest.mark.needs("latchpin_dcr")
async def test_every_endpoint_of_the_table(guided: GuidedGateway):
    rows = [line.split() for line in guide.ENDPOINTS.text.splitlines()]
    gateway = await guided.deployed.add(guided.provider.provider.mcp_url)
    answers: dict[str, int] = {}
    client_id = ""
    async with (
        guided.deployed.browser() as browser,
        guided.deployed.api(ALICE) as alice,
        guided.deployed.api(ADMIN) as admin,
    ):
        for method, template in rows:
            path = template.format(gateway_id=gateway, client_id=client_id)
            if template.startswith("/oauth/authorize"):
                page = await browser.open(guided.deployed.url + path, follow=False)
                answers[template] = page.status
                await browser.open(page.headers["location"])
                callback = str((await sign_in(browser, follow=False)).headers["location"])
            elif template == "/oauth/callback":
                page = await browser.open(callback, follow=False)
                assert callback.startswith(guided.deployed.url + path)
                answers[template] = page.status
            else:
                caller = admin if "registered-clients" in path else alice
                answer = await caller.request(method, path)
                answers[f"{method} {template}"] = answer.status_code
                client_id = answer.json().get("client_id", client_id) if "registered" in path else client_id
                if template.startswith("/oauth/status"):
                    assert answer.json()["oauth_enabled"] is True
                if template.startswith("/oauth/fetch-tools"):
                    assert len(answer.json()["tools"]) == 3
                if template == "/oauth/registered-clients":
                    client_id = answer.json()["clients"][0]["client_id"]
        assert (await admin.get("/oauth/registered-clients")).json()["total"] == 0
    assert list(answers.values()) == [302, 303, 200, 200, 200, 200, 200], answers
    assert len(answers) == len(rows)
