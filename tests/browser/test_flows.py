"""The flow inspector in a browser: from the failure page to the timeline, on a phone, in light and dark."""

import re

from playwright.sync_api import expect

from tests.browser.appearance import low_contrasts, small_targets, too_wide
from tests.browser.conftest import authorize, connect, open_gateways, press, sign_in_at_provider

SOMEBODY, OTHER = "flows@example.com", "somebody@example.com"


def deny(page, origin):
    """Say no at the provider; the support link of the failure page."""
    open_gateways(page, origin)
    authorize(page)
    sign_in_at_provider(page)
    press(page, "Deny")
    link = page.locator("dd a[href*='/flows/']")
    expect(link).to_have_text(re.compile(r"/flows/[0-9a-f]{32}$"))
    return link


def test_the_support_link_leads_to_the_timeline_and_nobody_else_sees_it(visit, demo, watch):
    page = visit(SOMEBODY)
    deny(page, demo.origin).click()
    expect(page).to_have_title("Flow")
    steps = page.get_by_role("list", name="Timeline").get_by_role("heading", level=3)
    names = ["begun", "stored", "redirected", "returned", "verified", "consumed", "failed"]
    expect(steps).to_have_text(names)
    expect(page.locator(".bar-picture")).to_have_count(len(names))
    failed = page.locator(".step.failed")
    expect(failed).to_contain_text("access_denied")
    expect(failed).to_contain_text("What to do:")
    flow = page.url
    other = visit(OTHER)
    other.goto(flow)
    expect(other).to_have_title("Not found")
    other.goto(flow[:-32] + "0" * 32)
    expect(other).to_have_title("Not found")
    assert watch.statuses[flow] == 404


def check_looks(page):
    assert (too_wide(page), small_targets(page)) == ([], [])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert low_contrasts(page)[1] == []


def test_a_flow_can_be_read_on_a_phone(visit, demo):
    page = visit(SOMEBODY, viewport={"width": 375, "height": 720}, has_touch=True, is_mobile=True)
    connect(page, demo.origin)
    press(page, "Fetch Tools")
    expect(page).to_have_title("Tools fetched")
    page.goto(f"{demo.origin}/flows")
    expect(page.get_by_text("completed").first).to_be_visible()
    check_looks(page)
    page.locator(".flows a[href*='/flows/']").first.click()
    expect(page.get_by_role("heading", name="tools fetched")).to_be_visible()
    check_looks(page)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Activity").click()
    expect(page).to_have_title("Flows")
