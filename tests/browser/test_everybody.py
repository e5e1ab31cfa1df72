"""The pages for everybody: by keyboard alone, on a phone, in light and dark."""

import json
from typing import get_args

import pytest
from latchpin.oauth.status import TokenStatus
from latchpin_demo.authorization_server import PASSWORD
from playwright.sync_api import expect

from tests.browser.appearance import Colour, contrast, focus_contrast, low_contrasts, small_targets, tab_to, too_wide
from tests.browser.conftest import ACCOUNT, SUCCESS, card_of, connect, press

SOMEBODY = "somebody@example.com"
LONG_URL = "https://a-very-long-host-name-for-a-small-telephone.example.com/" + "unbroken" * 12 + "/mcp"
LONG_NAME = "<b>Nameswithoutanyspaceinthemthatgoonandon" * 3
PATHS = [
    "/",
    "/admin/gateways",
    "/login",
    "/logout",
    "/problems/state-signature",
    "/oauth/callback?code=x&state=y",
    "/no/such/page",
]
SIGNED_OUT_PATHS = ["/login?next=%2Fadmin%2Fgateways", "/logout"]


def follow_by_keyboard(page, *names):
    """Tab to each of these in turn and press Enter."""
    for name in names:
        focus = tab_to(page, name)
        assert focus_contrast(focus) >= 3, focus
        with page.expect_navigation():
            page.keyboard.press("Enter")


def test_by_keyboard_alone(visit, demo):
    page = visit()
    page.goto(demo.create_link("keyboard@example.com"))
    follow_by_keyboard(page, "Sign in as keyboard@example.com", "Gateways")
    page.evaluate("window.open = () => null")  # then the link does what links do
    follow_by_keyboard(page, "Authorize Demo tools")
    assert page.url.startswith(demo.issuer)
    expect(page.get_by_label("Email address")).to_be_focused()  # as soon as the page is there
    page.keyboard.type(ACCOUNT)
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    follow_by_keyboard(page, "Sign in", "Allow")
    expect(page).to_have_title(SUCCESS)
    follow_by_keyboard(page, "Fetch Tools")
    expect(page.locator(".tools li")).to_have_count(3)
    follow_by_keyboard(page, "Gateways")
    tab_to(page, "3 tools")
    page.keyboard.press("Enter")
    expect(page.locator(".tools li").first).to_be_visible()
    follow_by_keyboard(page, "Disconnect Demo tools")
    expect(card_of(page, "Demo tools").get_by_text("Not connected")).to_be_visible()


def test_the_first_tab_skips_to_the_content(visit, demo):
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/admin/gateways")
    assert focus_contrast(tab_to(page, "Skip to the content", most=1)) >= 3
    page.keyboard.press("Enter")
    tab_to(page, "Admin Panel", most=1)  # the crumb, not the bar's link before it
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.fixture
def long_gateway(demo):
    """A gateway whose name and URL have no place to break, seen by one user."""
    made = demo.run("gateways", "add", LONG_URL, "--name", LONG_NAME, "--allow", SOMEBODY, "--no-discover", "--json")
    yield json.loads(made)["name"]
    demo.run("gateways", "remove", json.loads(made)["id"], "--yes")


def test_on_a_phone(visit, demo, long_gateway):
    page = visit(SOMEBODY, viewport={"width": 375, "height": 720}, has_touch=True, is_mobile=True)
    for path in PATHS:
        page.goto(demo.origin + path)
        assert too_wide(page) == [], path
        assert small_targets(page) == [], path
    page.goto(f"{demo.origin}/admin/gateways")
    expect(page.get_by_role("heading", name=long_gateway)).to_be_visible()
    connect(page, demo.origin)
    assert too_wide(page) == []
    press(page, "Fetch Tools")
    expect(page).to_have_title("Tools fetched")
    assert too_wide(page) == []
    page.context.clear_cookies()
    for path in [*SIGNED_OUT_PATHS, "/docs"]:
        page.goto(demo.origin + path)
        assert too_wide(page) == [], path


def texts_in_both(page) -> int:
    """How many texts a page shows in light and dark, each of which can be read."""
    seen = 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground = Colour.parse(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (ground.luminance > 0.5) == (scheme == "light")
        texts, low = low_contrasts(page)
        assert low == [], (scheme, page.url)
        seen += texts
    return seen


def test_contrast(visit, demo):
    page = visit(SOMEBODY)
    connect(page, demo.origin)
    seen = texts_in_both(page)
    press(page, "Fetch Tools")
    expect(page).to_have_title("Tools fetched")  # measured while it still loads, the page would be gone
    for path in [None, *PATHS]:
        if path is not None:
            page.goto(demo.origin + path)
        seen += texts_in_both(page)
    page.context.clear_cookies()
    for path in SIGNED_OUT_PATHS:
        page.goto(demo.origin + path)
        texts_in_both(page)
    assert seen > 200


def test_contrast_of_what_is_seldom_seen(visit, demo):
    """Every status and note, put onto a page here: the rules for them are the page's own."""
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/admin/gateways")
    page.evaluate(
        """statuses => {
          const seldom = statuses.map(each => `status ${each}`).concat("note", "mark good", "mark bad", "quiet danger");
          for (const words of seldom)
            document.querySelector(".card").append(
              Object.assign(document.createElement(words.startsWith("quiet") ? "button" : "span"),
                            {className: words, innerText: words}));
        }""",
        list(get_args(TokenStatus)),
    )
    assert texts_in_both(page) > 2 * (10 + len(get_args(TokenStatus)))


def test_the_measure_itself():
    """Against the figures that WCAG's own examples give."""
    white, black, grey = Colour(255, 255, 255), Colour(0, 0, 0), Colour(118, 118, 118)
    assert contrast(white, black) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.54, abs=0.01)
    assert Colour.parse("rgba(0, 0, 0, 0.5)").over(white) == Colour(127.5, 127.5, 127.5)


def test_the_description_of_the_api(visit, demo):
    """/docs is Swagger UI: it runs under its own policy, from here alone, and shows the endpoints."""
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/docs")
    expect(page.get_by_role("heading", name="Latchpin")).to_be_visible()
    expect(page.locator(".opblock-summary-path", has_text="fetch-tools")).to_be_visible()
    page.locator(".opblock-summary", has_text="/oauth/fetch-tools").click()
    expect(page.get_by_text("Responses").first).to_be_visible()
