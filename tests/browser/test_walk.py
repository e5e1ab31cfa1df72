"""The demo's walk in a real browser, as its instructions say, and what must hold on the way."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    ACCOUNT,
    SUCCESS,
    allow,
    arrive_at,
    authorize,
    card_of,
    connect,
    open_gateways,
    press,
    sign_in,
    sign_in_at_provider,
)

SOMEBODY = "somebody@example.com"
TOOLS = ["add", "search", "who_am_i"]


def test_the_walk_of_the_demo(visit, demo):
    page = visit()
    sign_in(page, demo.link)
    expect(page).to_have_url(f"{demo.origin}/admin/gateways")
    open_gateways(page, demo.origin)
    for name in ("Demo tools", "Demo library"):
        expect(card_of(page, name).get_by_text("Not connected")).to_be_visible()
    authorize(page)
    arrive_at(page, demo.issuer)
    assert page.evaluate("document.referrer") == ""
    allow(page)

    expect(page).to_have_title(SUCCESS)
    expect(page.get_by_role("heading", level=1)).to_contain_text(SUCCESS)
    expect(page.locator(".lead")).to_have_text(f"{ACCOUNT} is now connected to Demo tools.")
    assert page.url.startswith(f"{demo.origin}/oauth/success?result=")
    assert not re.search(r"[?&](code|state)=", page.url)

    press(page, "Fetch Tools")
    expect(page.locator(".lead")).to_have_text("Successfully fetched and created 3 tools")
    expect(page.locator(".tools code")).to_have_text(TOOLS)

    page.get_by_role("main").get_by_role("link", name="Gateways").click()
    expect(card_of(page, "Demo tools").get_by_text("Connected", exact=True)).to_be_visible()
    expect(card_of(page, "Demo library").get_by_text("Not connected")).to_be_visible()
    page.get_by_text("3 tools").click()
    expect(page.locator(".tools li").first).to_be_visible()
    expect(page.locator(".tools code")).to_have_text(TOOLS)

    press(page, "Disconnect Demo tools")
    for name in ("Demo tools", "Demo library"):
        expect(card_of(page, name).get_by_text("Not connected")).to_be_visible()
    expect(page.get_by_role("button", name="Disconnect")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/admin/gateways"])
def test_the_cores_pages_authorize_in_a_window_too(visit, demo, watch, path):
    page = visit(f"window{len(path)}@example.com")
    page.goto(demo.origin + path)
    page.wait_for_load_state()  # until its script has run, Authorize is a link
    with page.context.expect_page() as opening:
        press(page, "Authorize Demo tools")
    window = opening.value
    watch.attach_page(window)
    sign_in_at_provider(window)
    press(window, "Deny")
    card = page.locator("li.card", has_text="Demo tools")
    expect(card.locator(".failed")).to_have_text("The authorization did not succeed; its window says why.")
    expect(card.get_by_role("link", name="Authorize again: Demo tools")).to_have_text("Authorize again")
    press(window, "Authorize again")
    press(window, "Allow")
    expect(window).to_have_title(SUCCESS)
    expect(page.locator(".failed")).to_have_count(0)
    links = page.get_by_role("link", name=re.compile("^Authorize"))
    expect(links).to_have_count(1)  # the page has asked anew, and the other gateway is left
    expect(links).to_have_accessible_name("Authorize Demo library")


def test_without_javascript(visit, demo):
    page = visit(SOMEBODY, java_script_enabled=False)
    connect(page, demo.origin)
    press(page, "Fetch Tools")
    expect(page.locator(".tools li")).to_have_count(3)
    page.goto(f"{demo.origin}/docs")
    expect(page.get_by_role("link", name="openapi.json")).to_be_visible()


def test_a_repeated_callback_is_named(visit, demo):
    page = visit(SOMEBODY)
    callbacks = []
    page.on("request", lambda request: callbacks.append(request.url) if "/oauth/callback" in request.url else None)
    connect(page, demo.origin)
    [callback] = callbacks
    assert "code=" in callback
    for _ in range(2):  # going back to it, then reloading it
        answer = page.goto(callback)
        assert answer is not None
        assert answer.status == 400
        expect(page.get_by_role("heading", level=1)).to_contain_text("This authorization was already used")
        expect(page.locator(".lead")).to_have_text(
            re.compile("^Invalid or expired state parameter - possible replay attack: .* already been used at 2")
        )
        expect(page.get_by_text("Do not reload the callback page")).to_be_visible()
    press(page, "Back to the gateways")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()


def test_going_back_never_meets_the_callback_again(visit, demo):
    page = visit(SOMEBODY)
    connect(page, demo.origin)
    page.reload()
    expect(page).to_have_title(SUCCESS)
    page.go_back()
    expect(page).to_have_title(re.compile("Demo Accounts"))
    page.go_forward()
    expect(page).to_have_title(SUCCESS)


def test_authorizing_while_signed_out_goes_on_after_signing_in(visit, demo):
    page = visit()
    page.goto(f"{demo.origin}/oauth/authorize/{demo.gateway_id}")
    expect(page).to_have_title("Sign in")
    target = page.url.partition("/login?next=")[2]
    assert target == f"%2Foauth%2Fauthorize%2F{demo.gateway_id}"
    sign_in(page, f"{demo.create_link('later@example.com')}&next={target}")
    expect(page.locator(".lead")).to_have_text("You are signed in as later@example.com.")
    press(page, "Continue")
    arrive_at(page, demo.issuer)
    allow(page)
    expect(page.locator(".lead")).to_have_text("later@example.com is now connected to Demo tools.")


def test_a_link_opened_beside_the_login_page(visit, demo, watch):
    """A printed link knows nothing of where its user wanted to go; the page that asked for it does."""
    page = visit()
    page.goto(f"{demo.origin}/oauth/authorize/{demo.gateway_id}")
    beside = page.context.new_page()
    watch.attach_page(beside)
    sign_in(beside, demo.create_link("beside@example.com"))
    expect(beside).to_have_title("Admin Panel")
    press(page, "reload it")
    press(page, "Go on")
    arrive_at(page, demo.issuer)


def test_no_form_leads_away(visit, demo, watch):
    """Why "Continue" is a link: Chromium holds `form-action 'self'` against every redirect that follows a form."""
    page = visit(SOMEBODY)
    page.goto(f"{demo.origin}/admin/gateways")
    submit = """action => {
        const form = Object.assign(document.createElement("form"), {action});
        document.body.append(form);
        form.submit();
    }"""
    with page.expect_navigation():
        page.evaluate(submit, demo.origin)  # a form that stays here is let through
    expect(page).to_have_title("Admin Panel")
    watch.provoked = "form-action"
    with page.expect_console_message(lambda message: "form-action" in message.text):
        page.evaluate(submit, f"{demo.origin}/oauth/authorize/{demo.gateway_id}")
    assert page.url == f"{demo.origin}/?"
    assert demo.provider_origin not in watch.origins


def test_cookies_until_signing_out(visit, demo):
    page = visit()
    sign_in(page, demo.create_link("leaving@example.com"))
    open_gateways(page, demo.origin)
    authorize(page)
    port = demo.origin.rpartition(":")[2]
    names = {f"latchpin-session-{port}", f"latchpin-browser-{port}"}
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(demo.origin)}
    assert set(cookies) == names
    for cookie in cookies.values():
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["domain"]) == (True, "Lax", "localhost")
    page.goto(demo.origin)
    assert page.evaluate("document.cookie") == ""

    press(page, "Sign out")
    expect(page.locator(".lead")).to_have_text("You are signed out.")
    assert {cookie["name"] for cookie in page.context.cookies(demo.origin)} == names - {f"latchpin-session-{port}"}
    page.goto(f"{demo.origin}/admin/gateways")
    expect(page).to_have_title("Sign in")
