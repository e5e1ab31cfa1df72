"""What a person sees when something went wrong: what happened, what to do, and a way on."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import (
    SUCCESS,
    allow,
    arrive_at,
    authorize,
    open_gateways,
    press,
    sign_in,
    sign_in_at_provider,
)

SOMEBODY = "somebody@example.com"


def read_failure(page: Page, title: str, *, link: str | None = "Back to the gateways") -> str:
    """Check the parts that every failure page has; its first sentence."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    expect(page).to_have_title(title)
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    expect(page.locator("dd code").nth(1)).to_have_text(re.compile("^[0-9a-f]{32}$"))
    if link is not None:
        expect(page.get_by_role("main").get_by_role("link", name=link)).to_be_visible()
    return page.locator(".lead").inner_text()


def begin(page: Page, origin: str) -> None:
    open_gateways(page, origin)
    authorize(page)
    sign_in_at_provider(page)


def stop_at_callback(page: Page, origin: str) -> str:
    """Go through with it up to the redirect back, which the browser is not given; its URL."""
    begin(page, origin)
    targets = []

    def keep_redirect(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        targets.append(answer.headers["location"])
        route.fulfill(status=204)

    with page.expect_response("**/consent"):
        page.route("**/consent", keep_redirect)
        press(page, "Allow")
    [callback] = targets
    return callback


def test_saying_no_at_the_provider(visit, demo, watch):
    page = visit(SOMEBODY)
    begin(page, demo.origin)
    press(page, "Deny")
    read_failure(page, "The authorization server refused")
    assert watch.statuses[f"{demo.origin}/oauth/callback"] == 403
    press(page, "Back to the gateways")
    authorize(page)


def test_a_callback_in_another_browser_is_refused_and_uses_nothing_up(visit, demo, watch):
    mine = visit(SOMEBODY)
    callback = stop_at_callback(mine, demo.origin)

    other = visit()
    other.goto(callback)
    said = read_failure(other, "This browser did not start the authorization", link=None)
    assert watch.statuses[f"{demo.origin}/oauth/callback"] == 403
    assert SOMEBODY not in other.content()
    assert "Demo tools" not in said

    mine.goto(callback)
    expect(mine).to_have_title(SUCCESS)


def test_an_altered_state(visit, demo, watch):
    page = visit(SOMEBODY)
    callback = stop_at_callback(page, demo.origin)
    query = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
    altered = query | {"state": query["state"][:-2] + ("AA" if query["state"][-2:] != "AA" else "BB")}
    page.goto(f"{demo.origin}/oauth/callback?{urlencode(altered)}")
    said = read_failure(page, "This link was not made by this gateway")
    assert said.startswith("Invalid state signature - possible CSRF attack")
    assert watch.statuses[f"{demo.origin}/oauth/callback"] == 400
    assert query["state"] not in page.content()


def test_markup_in_a_callback_stays_text(visit, demo):
    page = visit(SOMEBODY)
    markup = "<img src=//evil.example/x onerror=alert(1)><script>alert(2)</script>"
    page.goto(
        f"{demo.origin}/oauth/callback?{urlencode({'error': markup, 'error_description': markup, 'state': markup})}"
    )
    read_failure(page, "This link was not made by this gateway")
    expect(page.locator("main img, main script")).to_have_count(0)


def test_fetching_without_being_connected_offers_to_authorize(visit, demo):
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/admin/gateways")
    if page.get_by_role("button", name="Disconnect").is_visible():
        press(page, "Disconnect Demo tools")
    press(page, "Fetch Tools of Demo tools")
    read_failure(page, "Authorize first", link="Authorize")
    expect(page.get_by_text("Authorize this gateway, then try again.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Authorize").click()
    arrive_at(page, demo.issuer)
    allow(page)
    expect(page).to_have_title(re.compile(f"{SUCCESS}|Allow"))


def test_a_login_link_is_used_here_and_once(visit, demo):
    link = demo.create_link("once@example.com")
    elsewhere = visit()
    elsewhere.set_content(
        f"""<form method=post action="{demo.origin}/login">
        <input type=hidden name=token value="{link.partition("token=")[2]}"><button>A prize</button></form>"""
    )
    press(elsewhere, "A prize")
    read_failure(elsewhere, "This form is not ours", link=None)
    assert not [cookie for cookie in elsewhere.context.cookies() if "session" in cookie["name"]]

    mine = visit()
    sign_in(mine, link)
    expect(mine).to_have_title("Admin Panel")

    late = visit()
    late.goto(link)
    assert read_failure(late, "The request is not valid").startswith("This login link does not work any more")


@pytest.mark.parametrize(
    ("path", "title"),
    [("/no/such/page", "Not found"), ("/oauth/authorize/" + "0" * 32, "Not found"), ("/problems/state-used", None)],
)
def test_other_pages_of_failure(visit, demo, path, title):
    page = visit(SOMEBODY)
    page.goto(demo.origin + path)
    if title is None:
        expect(page).to_have_title("This authorization was already used")
    else:
        read_failure(page, title)
