"""A connection made for all, and a second account added and chosen, in the pages and for everybody."""

import itertools
import json

import pytest
from playwright.sync_api import expect

from tests.browser.appearance import faults
from tests.browser.conftest import SUCCESS, allow, card_of, press

ADMIN, SOMEBODY = "sharer@example.com", "two-accounts@example.com"
NAMES = (f"Accounts {number}" for number in itertools.count(1))


@pytest.fixture
def named(demo):
    """A gateway of its own before the demo's server; its id and its name."""
    name = next(NAMES)
    url = json.loads(demo.run("gateways", "list", "--json"))[0]["url"]
    added = json.loads(demo.run("gateways", "add", url, "--name", name, "--json"))
    yield added["id"], name
    demo.run("gateways", "remove", added["id"], "--yes")


def test_a_connection_is_made_for_all(visit, demo, named):
    gateway_id, name = named
    admin = visit(ADMIN, admin=True)
    admin.goto(f"{demo.origin}/admin/gateways/{gateway_id}/edit")
    admin.get_by_label("Whose account is used").select_option("shared")
    press(admin, "Save")
    person = visit(SOMEBODY)
    person.goto(f"{demo.origin}/admin/my-connections")
    card = card_of(person, name)
    expect(card).to_contain_text("Shared: one account for all.")
    expect(card).to_contain_text("An administrator connects this server. Ask one.")
    expect(card.get_by_role("link", name="Authorize")).to_have_count(0)
    person.goto(f"{demo.origin}/oauth/authorize/{gateway_id}")
    expect(person).to_have_title("An administrator connects this server")
    admin.goto(f"{demo.origin}/admin/gateways/{gateway_id}")
    admin.wait_for_load_state()
    with admin.context.expect_page() as opening:
        press(admin, f"Authorize {name} for all")
    window = opening.value
    expect(window).to_have_title(f"Connect the account that all of {name} use?")
    expect(window.locator(".note")).to_have_text("Nobody has connected an account yet.")
    assert faults(window) == []
    press(window, "Continue")
    allow(window)
    expect(window).to_have_title(SUCCESS)
    expect(window.locator(".lead")).to_contain_text(f"{name} is now connected for all who may use it.")
    expect(admin.locator(".mine")).to_contain_text(f"Shared: one account for all, connected by {ADMIN}.")
    person.goto(f"{demo.origin}/admin/my-connections")
    expect(card).to_contain_text(f"connected by {ADMIN}")
    expect(card.get_by_role("button", name="Disconnect")).to_have_count(0)
    press(person, f"Fetch Tools of {name}")
    expect(person.locator(".lead")).to_contain_text("3 tools")
    admin.goto(f"{demo.origin}/admin/connections?gateway={gateway_id}")
    expect(admin.get_by_role("row", name=name)).to_contain_text(f"Shared, connected by {ADMIN}")
    press(admin, f"Disconnect all from {name}")
    expect(admin.get_by_role("button", name=f"Disconnect all from {name}")).to_have_count(0)
    person.goto(f"{demo.origin}/admin/my-connections")
    expect(card).to_contain_text("An administrator connects this server. Ask one.")


def test_a_second_account_is_added_and_chosen(visit, demo, named):
    gateway_id, name = named
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/oauth/authorize/{gateway_id}")
    allow(page)
    expect(page).to_have_title(SUCCESS)
    page.goto(f"{demo.origin}/admin/gateways/{gateway_id}")
    press(page, f"Add another account at {name}")
    assert faults(page) == []
    page.get_by_label("Label").fill("work")
    press(page, "Go on")
    expect(page.get_by_text(f"/gateways/{gateway_id}/mcp?account=work")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{demo.origin}/oauth/authorize/{gateway_id}?account=work")
    press(page, "Allow")  # the provider knows its person
    expect(page).to_have_title(SUCCESS)
    expect(page.get_by_text("?account=work")).to_be_visible()
    page.goto(f"{demo.origin}/admin/my-connections")
    card = card_of(page, name)
    rows = card.locator("li.head")
    expect(rows).to_have_count(2)
    chosen = rows.filter(has=page.locator(".tag", has_text="default"))
    expect(chosen).to_contain_text("the account without a label")
    assert faults(page) == []
    press(page, f"Make work the default at {name}")
    expect(chosen).to_contain_text("work")
    expect(card.locator(".said")).to_have_text("Programs use work now.")
    press(page, f"Disconnect the account without a label from {name}")
    expect(rows).to_have_count(1)
    press(page, f"Disconnect work from {name}")
    expect(card).to_contain_text("Not connected")
