"""One shell around core's and plugins' pages: nothing jumps, no word breaks in a table, and what is long is copied."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.appearance import grave_findings, too_wide
from tests.browser.conftest import SUCCESS, connect

ADMIN = "shell@example.com"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
GROUPS = ["Overview", "Gateways", "Connections", "Activity", "System"]
CORES = ["/", "/admin/gateways", "/flows", "/problems", "/no/such/page"]
PLUGINS = ["/admin/my-connections", "/admin/connections", "/admin/clients", "/admin/settings", "/admin/plugins"]

# The words of a table that stand on more than one line, save in what the page marks as long.
BROKEN = """() => [...document.querySelectorAll("th, td")].flatMap(cell => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), range = document.createRange(), broken = [];
  for (let node; (node = walker.nextNode());) {
    if (node.parentElement.closest(".long")) continue;
    for (const word of node.data.matchAll(/[^\\s-]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(each => Math.round(each.top))).size > 1) broken.push(word[0]);
    }
  }
  return broken;
})"""


@pytest.fixture
def connected(visit, demo):
    def open_page(**options):
        page = visit(ADMIN, admin=True, **options)
        connect(page, demo.origin)
        expect(page).to_have_title(SUCCESS)
        return page

    return open_page


def test_logo_menu_and_content_stand_in_one_place_on_every_page(connected, demo):
    page = connected(viewport=DESKTOP)
    places = set()
    for path in [*CORES, *PLUGINS]:
        page.goto(demo.origin + path)
        links = page.get_by_role("navigation", name="Main").get_by_role("link")
        expect(links).to_have_text(GROUPS)
        rows = {round(link.bounding_box()["y"]) for link in links.all()}
        assert len(rows) == 1, path
        brand, first = page.locator(".brand").bounding_box(), links.first.bounding_box()
        main = page.locator("main").bounding_box()
        places.add((brand["x"], brand["y"], first["x"], main["x"], main["width"]))
    assert len(places) == 1, places


def test_no_word_is_broken_in_a_table(connected, demo):
    page = connected(viewport=DESKTOP)
    for path in ("/flows", *PLUGINS):
        page.goto(demo.origin + path)
        assert page.evaluate(BROKEN) == [], path
        assert too_wide(page) == [], path
    page.goto(f"{demo.origin}/flows")
    page.evaluate("""() => {
      const word = document.querySelector("td .status");
      word.style.cssText = "display: block; width: 3em; white-space: normal; overflow-wrap: anywhere";
    }""")
    assert len(page.evaluate(BROKEN)) == 1  # it would be found


def test_on_a_phone_the_menu_is_one_button(connected, demo):
    page = connected(viewport=PHONE, has_touch=True, is_mobile=True)
    page.goto(f"{demo.origin}/admin/clients")
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(links).to_have_count(0)
    page.get_by_role("button", name="Menu").click()
    expect(links).to_have_text(GROUPS)
    assert grave_findings(page) == []
    assert too_wide(page) == []
    page.keyboard.press("Escape")
    expect(links).to_have_count(0)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Activity").click()
    expect(page).to_have_title("Flows")


def test_the_menu_needs_no_script(visit, demo):
    page = visit(ADMIN, admin=True, viewport=PHONE, java_script_enabled=False)
    page.goto(demo.origin)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="System").click()
    expect(page).to_have_title("Doctor")
    expect(page.get_by_role("button", name=re.compile("^Copy"))).to_have_count(0)


def test_what_is_long_is_copied_whole(connected, demo):
    page = connected(viewport=DESKTOP)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.origin)
    page.get_by_role("button", name="Copy the URL for MCP clients").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{demo.origin}/gateways/{demo.gateway_id}/mcp"
    page.goto(f"{demo.origin}/flows")
    short = page.locator("td .id").first
    flow = short.get_by_role("link").get_attribute("href").rpartition("/")[2]
    expect(short.get_by_role("link")).to_have_text(flow[:8])
    short.get_by_role("button").click()
    expect(short.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == flow
