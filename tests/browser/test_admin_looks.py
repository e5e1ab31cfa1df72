"""Every page of the admin UI for everybody: axe without grave findings, on a phone, in light and dark, by keyboard."""

import re
from collections.abc import Iterator

from playwright.sync_api import Page, expect

from tests.browser.appearance import faults, focus_contrast, low_contrasts, tab_to
from tests.browser.conftest import allow, card_of, connect, press

ADMIN = "looker@example.com"
NAME = "Demo tools"
PATHS = [
    "/",
    "/admin/gateways",
    "/admin/gateways/new",
    "/admin/gateways/{id}",
    "/admin/gateways/{id}/edit",
    "/admin/gateways/{id}/remove",
    "/admin/sets",
    "/admin/sets?q=nothing-like-this",
    "/admin/sets/new",
    "/admin/audit",
    "/admin/audit?calls=true",
    "/admin/audit?q=nothing-like-this",
    "/admin/configuration",
    "/admin/rules",
    "/admin/rules?q=nothing-like-this",
    f"/admin/rules?email={ADMIN}&tool=shout",
    "/admin/rules/new",
    "/admin/groups",
    "/admin/groups/new",
    "/admin/tools",
    "/admin/my-connections",
    "/admin/attention",
    "/admin/mail",
    "/admin/connections",
    "/admin/connections?user=nobody@example.com",
    f"/admin/connections?user={ADMIN}",
    f"/admin/connections/end?user={ADMIN}",
    "/admin/people",
    "/admin/people/end?user=nobody@example.com",
    "/admin/clients",
    "/applications",
    "/applications/everybody",
    "/applications/everybody?q=nobody",
    "/applications/clients",
    "/applications/clients?source=registered",
    "/applications/clients/new",
    "/personal-tokens",
    "/admin/undelivered/mail",
    "/admin/undelivered/webhooks",
    "/admin/doctor",
    "/admin/settings",
    "/admin/plugins",
]
SENT = [
    ("/admin/gateways/{id}", "Test"),
    ("/admin/doctor", "Run the checks"),
]


def pages(page: Page, demo) -> Iterator[str]:
    """Show each page in turn, with all that folds out; what it is called."""
    for path in PATHS:
        page.goto(demo.origin + path.format(id=demo.gateway_id))
        for summary in page.locator("main summary:visible").all():
            summary.click()
        yield path
    for path, button in SENT:
        page.goto(demo.origin + path.format(id=demo.gateway_id))
        press(page, button)
        expect(page.locator("#outcome")).to_be_visible()
        page.wait_for_load_state()
        yield f"{path} {button}"


def test_every_page_is_for_everybody(visit, demo):
    page = visit(ADMIN, admin=True)
    connect(page, demo.origin)
    press(page, "Fetch Tools")
    expect(page).to_have_title("Tools fetched")
    for path in pages(page, demo):
        assert faults(page) == [], path
        assert low_contrasts(page)[0] > 5, path


def test_axe_would_find_something(visit, demo):
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/connections")
    assert faults(page) == []
    page.evaluate(
        "document.querySelector('[name=gateway]').closest('label').replaceWith(document.querySelector('select'))"
    )
    found = [each for each in faults(page) if "select-name" in each]
    assert [each.partition(": select-name")[0] for each in found] == ["1280 light", "390 dark"]


def test_by_keyboard_alone(visit, demo):
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/my-connections")
    for name in ("Skip to the content", "Admin Panel"):
        assert focus_contrast(tab_to(page, name)) >= 3
    status = card_of(page, NAME).locator(".status")
    if status.inner_text() == "Not connected":
        page.wait_for_load_state()
        with page.context.expect_page() as opening:
            assert focus_contrast(tab_to(page, "Authorize " + NAME)) >= 3
            page.keyboard.press("Enter")
        allow(opening.value)
    expect(status).to_have_text("Connected")
    assert focus_contrast(tab_to(page, f"Fetch Tools of {NAME}", most=60)) >= 3
    page.keyboard.press("Enter")
    expect(page.locator(".lead")).to_contain_text("Successfully fetched")
    tab_to(page, "Show the tools")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#tools$"))
    tab_to(page, "who_am_i", most=60)
    page.keyboard.press("Enter")
    expect(page.get_by_text("It takes no arguments.").first).to_be_visible()
    page.goto(f"{demo.origin}/admin/my-connections")
    assert focus_contrast(tab_to(page, f"Disconnect {NAME}", most=60)) >= 3
    page.keyboard.press("Enter")
    said = page.locator(".said")
    expect(said).to_be_focused()
    expect(status).to_have_text("Not connected")
