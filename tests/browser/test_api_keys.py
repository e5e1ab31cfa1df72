"""A gateway whose server wants a key: added, keyed and disconnected in the pages, for everybody."""

import itertools
import re

import pytest
from playwright.sync_api import Page, expect

from tests.api_keys.keyed_server import KeyedServer, start_keyed
from tests.browser.appearance import faults
from tests.browser.conftest import card_of, press, press_to_close

ADMIN, SOMEBODY = "keeper@example.com", "bearer-of-keys@example.com"
KEY = "sk-browser-0123456789"
NAMES = (f"Keyed {number}" for number in itertools.count(1))


@pytest.fixture
def keyed():
    with start_keyed(("x-api-key", KEY)) as server:
        yield server


def add(page: Page, origin: str, keyed: KeyedServer, name: str) -> None:
    """Add the gateway as an administrator does, who is told that the server names nobody to authorize at."""
    page.goto(f"{origin}/admin/gateways/new")
    page.get_by_label("URL of the MCP server").fill(keyed.url)
    press(page, "Look at it")
    expect(page.get_by_text("If it wants an API key, choose that below.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Authorization", exact=True).select_option("api_key")
    page.get_by_label("Header field of the key").fill("X-API-Key")
    press(page, "Add the gateway")
    expect(page.get_by_role("heading", name=name, exact=True).first).to_be_visible()
    expect(page.get_by_text("X-API-Key: …")).to_be_visible()


def test_a_key_is_entered_in_a_window_replaced_and_removed(visit, demo, keyed):
    name = next(NAMES)
    add(visit(ADMIN, admin=True), demo.origin, keyed, name)
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/admin/my-connections")
    card = card_of(page, name)
    expect(card).to_contain_text("Not connected")
    expect(card).to_contain_text("Enter a key of your account there, then fetch the tools.")
    page.wait_for_load_state()
    with page.context.expect_page() as opening:
        press(page, f"Enter a key of {name}")
    window = opening.value
    expect(window).to_have_title(f"Enter a key: {name}")
    field = window.get_by_label("Key", exact=True)
    assert (field.get_attribute("type"), field.get_attribute("autocomplete")) == ("password", "off")
    field.fill("sk-mistyped")
    press(window, "Try it and keep it")
    told = window.get_by_role("alert")
    expect(told).to_contain_text("did not take it: it answered HTTP 401")
    expect(told).to_be_focused()
    assert "sk-mistyped" not in window.content()
    window.get_by_label("Key", exact=True).fill(KEY)
    press(window, "Try it and keep it")
    expect(window).to_have_title("The key works")
    expect(window.locator(".lead")).to_contain_text("took the key, and offers 2 tools with it.")
    expect(card.locator(".status")).to_have_text("Connected")  # in the page that was open all the while
    press_to_close(window)
    expect(card).to_contain_text("Key entered")
    press(page, f"Fetch Tools of {name}")
    expect(page.locator(".lead")).to_have_text("Successfully fetched and created 2 tools")
    page.goto(f"{demo.origin}/admin/gateways")
    link = page.get_by_role("link", name=f"Replace the key of {name}")
    page.goto(demo.origin + str(link.get_attribute("href")))
    expect(page.get_by_text("a key, entered")).to_be_visible()
    assert KEY not in page.content()
    press(page, "Disconnect: remove the key")
    expect(page).to_have_title("Gateways")
    expect(card_of(page, name).locator(".status")).to_have_text("Not connected")


def test_the_pages_are_for_everybody(visit, demo, keyed):
    name = next(NAMES)
    page = visit(ADMIN, admin=True)
    add(page, demo.origin, keyed, name)
    press(page, "Edit")
    expect(page.get_by_label("Header field", exact=True)).to_have_value("X-API-Key")
    assert faults(page) == []
    press(page, "Cancel")
    link = page.get_by_role("link", name=re.compile("^Enter a key of "))
    page.goto(demo.origin + str(link.get_attribute("href")))
    assert faults(page) == []
    for key, title in (("sk-mistyped", f"Enter a key: {name}"), (KEY, "The key works")):
        page.get_by_label("Key", exact=True).fill(key)
        press(page, "Try it and keep it")
        expect(page).to_have_title(title)
        assert faults(page) == []
