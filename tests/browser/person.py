"""What a person does at the demo, by the words on the pages."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from latchpin_demo.authorization_server import PASSWORD, USERS
from playwright.sync_api import Page, expect

__all__ = [
    "ACCOUNT",
    "SUCCESS",
    "allow",
    "arrive_at",
    "authorize",
    "connect",
    "open_gateways",
    "press",
    "sign_in",
    "sign_in_at_provider",
]

ACCOUNT = USERS[0]
SUCCESS = "OAuth Authorization Successful"


def press(page: Page, name: str) -> None:
    """Press the one button or link of that name."""
    exact = re.compile(rf"^{re.escape(name)}$")
    page.get_by_role("button", name=exact).or_(page.get_by_role("link", name=exact)).click()


def arrive_at(page: Page, place: str) -> None:
    """Wait until the page's URL begins with ``place``."""
    expect(page).to_have_url(re.compile(f"^{re.escape(place)}"))


def sign_in(page: Page, link: str) -> None:
    """Open a login link, press its button, and wait until that has led somewhere: only then the session is there."""
    page.goto(link)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in as").click()


def open_gateways(page: Page, origin: str) -> None:
    """Go the guide's way: Admin Panel, Gateways."""
    page.goto(origin)
    expect(page).to_have_title("Admin Panel")
    page.get_by_role("main").get_by_role("link", name="Gateways").click()
    expect(page).to_have_title("Gateways")


def authorize(page: Page, name: str = "Demo tools") -> None:
    """Follow Authorize, or Reconnect where one is connected, in the same window, and arrive at the provider."""
    link = page.get_by_role("link", name=re.compile(f"^(Authorize|Reconnect) {re.escape(name)}$"))
    page.goto(urljoin(page.url, link.get_attribute("href")))
    expect(page).to_have_title(re.compile("Demo Accounts"))


def sign_in_at_provider(page: Page) -> None:
    """Sign in to the account that the demo's provider knows."""
    page.get_by_label("Email address").fill(ACCOUNT)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")


def allow(page: Page) -> None:
    """Sign in at the provider and consent."""
    sign_in_at_provider(page)
    press(page, "Allow")


def connect(page: Page, origin: str) -> None:
    """From anywhere, signed in, to the success page."""
    open_gateways(page, origin)
    authorize(page)
    allow(page)
    expect(page).to_have_title(SUCCESS)
