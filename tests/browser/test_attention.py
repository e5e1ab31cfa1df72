"""Somebody whom connections need: they see it on the overview, read why, and say that they want no mail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from latchpin.assembly.clock import utc_now
from playwright.sync_api import Browser, Page, expect

from tests.browser.appearance import faults
from tests.browser.conftest import DEADLINE_MS, press
from tests.notify.conftest import DAY, connect, gateway_of
from tests.servers import GatewayBackend
from tests.support.gateway_process import ADMIN, ALICE, BOB, USER_HEADER, DeployedGateway, deploy_gateway, settings_of
from tests.token_refresh.conftest import open_application

NEEDS = ("latchpin_admin_ui", "latchpin_attention", "latchpin_mail", "latchpin_sql_store")


async def fill(environment: dict[str, str]) -> None:
    """Connections that were made a while ago: some work, and some need somebody."""
    async with open_application(environment, lambda: utc_now() - timedelta(days=35)) as application:
        works, ends, broken = [await gateway_of(application, name) for name in ("Calendar", "Notes", "Tickets <b>")]
        for person in (ALICE, BOB, ADMIN):
            await connect(application, works, person, life=3650 * DAY)
        await connect(application, ends, ALICE, life=40 * DAY)
        await connect(application, broken, ALICE, spent=True, label="work")
        for number in range(30):
            await connect(application, broken, f"somebody-with-a-long-name-{number}@example.com", spent=True)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    folder = Path(tmp_path_factory.mktemp("gateway"))
    store = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": f"sqlite:///{folder}/gateway.db"}
    backend = GatewayBackend("sqlite", store, shared=True, label="SQLite")
    nowhere = {"MAIL_SMTP_HOST": "127.0.0.1", "MAIL_SMTP_PORT": "1", "MAIL_FROM": "latchpin@example.com"}
    with deploy_gateway(backend, folder, **nowhere) as started:
        with ThreadPoolExecutor(1) as aside:  # the browser has an event loop in this thread
            aside.submit(asyncio.run, fill(settings_of(backend))).result()
        yield started


@pytest.fixture
def open_as(chromium: Browser, watch, deployed: DeployedGateway):
    contexts = []

    def opened(person: str) -> Page:
        context = chromium.new_context(extra_http_headers={USER_HEADER: person})
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        watch.attach(context)
        page = context.new_page()
        watch.attach_page(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    watch.check(deployed.url)


def test_a_person_finds_what_needs_them(open_as, deployed: DeployedGateway):
    page = open_as(ALICE)
    page.goto(deployed.url)
    card = page.locator(".card", has=page.get_by_role("heading", name="Needs attention"))
    expect(card.locator(".number")).to_have_text("2")
    card.get_by_role("link").click()
    rows = page.get_by_role("list", name="What you can mend").locator("> li")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("Ends soon")
    broken = page.locator(".card", has_text="Tickets <b>")
    expect(broken).to_contain_text("The server takes the refresh token no more")
    link = broken.get_by_role("link", name="Authorize Tickets <b>")
    assert (link.get_attribute("href") or "").endswith("?account=work")
    expect(page.get_by_text("Needs somebody else")).to_have_count(0)
    assert faults(page) == []
    page.goto(f"{deployed.url}/admin/my-connections")
    expect(page.locator("li.mine h2").last).to_have_text("Calendar")
    expect(page.locator("li.mine .need").first).to_be_visible()
    assert faults(page) == []
    page.goto(f"{deployed.url}/admin/mail")
    expect(page.get_by_text("You get a mail when one of your connections needs you.")).to_be_visible()
    press(page, "Send me no mail")
    expect(page.get_by_text("You get no mail.")).to_be_visible()
    assert faults(page) == []
    press(page, "Send me mail")
    expect(page.get_by_text("You get a mail when")).to_be_visible()


def test_an_administrator_sees_whom_else_connections_need(open_as, deployed: DeployedGateway):
    page = open_as(ADMIN)
    page.goto(f"{deployed.url}/admin/attention")
    expect(page.get_by_text("None of your connections needs you.")).to_be_visible()
    table = page.get_by_role("table", name="Needs somebody else")
    expect(table.get_by_role("row")).to_have_count(33)
    assert faults(page) == []
    page.get_by_label("User or gateway").fill(ALICE)
    press(page, "Search")
    expect(page.get_by_text("2 of 32")).to_be_visible()
    expect(table.get_by_role("row")).to_have_count(3)
