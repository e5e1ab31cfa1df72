"""The way of a person whom an MCP client sends here: both consents, a refusal, another browser, a failure upstream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.authorization_server.conftest import StockClient
from tests.browser.appearance import faults
from tests.browser.conftest import allow, arrive_at, press, sign_in_at_provider

REDIRECT_URI = "http://127.0.0.1:33418/callback"
"""Where the client would listen; nothing does, and each page's route answers for it."""
NAME = "A program of the test"
PROVIDER = re.compile("Demo Accounts")


class Program:
    """An MCP client beside the browser. It works in a thread of its own, where no other event loop runs."""

    def __init__(self, mcp_url: str) -> None:
        self._stock = StockClient(httpx.AsyncClient(), mcp_url)
        self.do(lambda stock: stock.introduce(redirect_uris=[REDIRECT_URI], client_name=NAME))

    def do(self, work: Callable[[StockClient], Awaitable[Any]]) -> Any:
        async def go() -> Any:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
                self._stock.http = http
                return await work(self._stock)

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(go())).result()

    def url(self, **changes: str | None) -> str:
        """Where it sends the person."""
        return self._stock.authorization_url(redirect_uri=REDIRECT_URI, **changes)

    def redeem(self, answer: dict[str, str]) -> dict[str, str]:
        tokens: dict[str, str] = self.do(lambda stock: stock.redeem(answer["code"], redirect_uri=REDIRECT_URI)).json()
        return tokens

    def call(self, access_token: str) -> int:
        status: int = self.do(lambda stock: stock.call(access_token)).status_code
        return status


@pytest.fixture
def program(demo) -> Program:
    return Program(f"{demo.origin}/gateways/{demo.gateway_id}/mcp")


@pytest.fixture
def visit_from(visit, watch, program) -> Callable[..., Page]:
    """Opens a page whose client answers at its address."""
    watch.expected.add("http://127.0.0.1:33418")

    def answer(route: Route) -> None:
        route.fulfill(body="<!doctype html><title>The program goes on</title>", content_type="text/html")

    def open_page(*arguments: str, **options: Any) -> Page:
        page: Page = visit(*arguments, **options)
        page.route(f"{REDIRECT_URI}*", answer)
        return page

    return open_page


def answer_on(page: Page) -> dict[str, str]:
    """What the browser brought to the client."""
    arrive_at(page, REDIRECT_URI)
    return dict(parse_qsl(urlsplit(page.url).query, strict_parsing=True))


def test_both_consents_and_then_a_call(visit_from, demo, program):
    page = visit_from("door@example.com")
    page.goto(program.url())
    expect(page).to_have_title(f"Allow {NAME}?")
    expect(page.locator(".lead")).to_have_text(f"{NAME} asks to use Demo tools as door@example.com.")
    expect(page.get_by_text("It runs on your computer")).to_be_visible()
    expect(page.get_by_text("It calls itself that. Nobody has checked it.")).to_be_visible()
    press(page, "Allow")
    expect(page).to_have_title(PROVIDER)
    allow(page)
    answer = answer_on(page)
    assert (answer["state"], answer["iss"]) == ("here & there", demo.origin)
    assert program.call(program.redeem(answer)["access_token"]) == 200


def test_who_allowed_it_before_sees_no_page_unless_another_site_sent_them(visit_from, demo, program, watch):
    page = visit_from("before@example.com")
    page.goto(program.url())
    press(page, "Allow")
    allow(page)
    program.redeem(answer_on(page))
    page.goto(program.url())
    assert "code" in answer_on(page)
    watch.expected.add("http://another.example")
    link = f'<!doctype html><title>x</title><a href="{program.url()}">A nice offer</a>'.replace("&", "&amp;")
    page.route("http://another.example/", lambda route: route.fulfill(body=link, content_type="text/html"))
    page.goto("http://another.example/")
    watch.referrers.clear()
    page.get_by_role("link", name="A nice offer").click()
    expect(page).to_have_title(f"Allow {NAME}?")
    watch.referrers.clear()  # the other site's own


def test_a_person_who_does_not_allow_it(visit_from, program):
    page = visit_from("no@example.com")
    page.goto(program.url())
    press(page, "Do not allow")
    assert answer_on(page)["error"] == "access_denied"


def test_a_second_browser_has_no_part_in_it(visit_from, demo, program):
    page, other = visit_from("two@example.com"), visit_from("two@example.com")
    page.goto(program.url())
    request = page.locator("input[name=request]").get_attribute("value")
    other.goto(f"{demo.origin}/oauth2/continue?request={request}")
    expect(other.get_by_role("heading", level=1)).to_contain_text("Start again from the application")
    press(page, "Allow")  # the first goes on
    expect(page).to_have_title(PROVIDER)


def test_a_failure_upstream_costs_no_sign_in(visit_from, demo, program):
    page = visit_from("without@example.com")
    page.goto(program.url())
    press(page, "Allow")
    expect(page).to_have_title(PROVIDER)
    sign_in_at_provider(page)
    press(page, "Deny")
    expect(page.get_by_role("heading", level=1)).to_contain_text("The authorization server refused")
    press(page, "Go on without it")
    assert "access_token" in program.redeem(answer_on(page))


def test_trying_again_after_a_failure_leads_back_to_the_client(visit_from, demo, program):
    page = visit_from("retry@example.com")
    page.goto(program.url())
    press(page, "Allow")
    expect(page).to_have_title(PROVIDER)
    sign_in_at_provider(page)
    press(page, "Deny")
    press(page, "Authorize again")
    press(page, "Allow")
    assert program.call(program.redeem(answer_on(page))["access_token"]) == 200


def test_an_application_that_was_ended_asks_again(visit_from, demo, program):
    page = visit_from("ending@example.com")
    page.goto(program.url())
    press(page, "Allow")
    allow(page)
    tokens = program.redeem(answer_on(page))
    page.goto(demo.origin)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Connections").click()
    page.get_by_role("navigation", name="Connections").get_by_role("link", name="My applications").click()
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    press(page, f"End all access of {NAME}")
    expect(page.locator(".said")).to_contain_text(f"{NAME} has no access any more.")
    assert program.call(tokens["access_token"]) == 401
    page.goto(program.url())
    expect(page).to_have_title(f"Allow {NAME}?")


def test_a_personal_token_is_shown_once(visit_from, demo):
    page = visit_from("script@example.com")
    page.goto(f"{demo.origin}/personal-tokens")
    page.get_by_label("What is it for?").fill("Nightly report")
    page.get_by_label("Only what is chosen here:").check()
    page.get_by_label("Demo tools").check()
    press(page, "Make it")
    expect(page.locator(".copied code")).to_have_text(re.compile("^lp_pat_"))
    page.goto(f"{demo.origin}/personal-tokens")
    expect(page.get_by_text("lp_pat_")).to_have_count(0)
    expect(page.get_by_role("row", name="Nightly report").get_by_text("Demo tools")).to_be_visible()
    press(page, "End Nightly report")
    expect(page.locator(".said")).to_have_text("Nightly report opens nothing any more.")


def test_how_the_pages_look(visit_from, demo, program):
    page = visit_from("looks@example.com")
    page.route(f"{REDIRECT_URI}*", lambda route: route.fulfill(status=204))  # the browser stays where it is

    def look(title: str) -> None:
        expect(page).to_have_title(title)
        assert faults(page) == [], title

    page.goto(program.url(client_id="nobody"))
    look("This application is not known here")
    page.goto(program.url().replace("callback", "elsewhere"))
    look("The application gave a wrong return address")
    page.goto(program.url())
    look(f"Allow {NAME}?")
    press(page, "Do not allow")
    look("Not allowed")
    page.goto(program.url())
    request = page.locator("input[name=request]").get_attribute("value")
    press(page, "Allow")
    expect(page).to_have_title(PROVIDER)
    page.goto(f"{demo.origin}/oauth2/continue?request={request}")
    look("Connect Demo tools")
    page.get_by_role("link", name="Skip Demo tools").click()
    look(f"Back to {NAME}")
