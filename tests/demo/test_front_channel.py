"""Signing in and consent, as a person's browser meets them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from latchpin_demo.browser import Browser, Page
from latchpin_demo.front_channel import PASSWORD, USERS

from tests.providers import PlainClient, sign_in
from tests.providers.clients import REDIRECT_URI, answer_in
from tests.providers.servers import DemoProvider


async def open_login(caller: PlainClient, browser: Browser) -> Page:
    page = await browser.open(caller.authorization_url())
    assert page.title == "Sign in - Demo Accounts"
    return page


async def test_an_answer_holds_code_state_and_iss(caller: PlainClient, demo: DemoProvider, browser: Browser) -> None:
    answer = await caller.authorize(browser)
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("here & there", demo.issuer)


async def test_a_denial_holds_iss_too(caller: PlainClient, demo: DemoProvider, browser: Browser) -> None:
    answer = await caller.authorize(browser, allow=False)
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "here & there", demo.issuer)
    assert "code" not in answer


async def test_the_login_page_shows_its_accounts_and_password(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    assert all(f"<code>{user}</code>" in page.text for user in USERS)
    assert f"<code>{PASSWORD}</code>" in page.text
    assert "<script" not in page.text


async def test_pages_allow_no_script_and_name_where_forms_lead(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    policy = page.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["referrer-policy"] == "no-referrer"
    page = await browser.submit(page.form(), email=USERS[0], password=PASSWORD)
    assert "form-action 'self' http://127.0.0.1:9;" in page.headers["content-security-policy"]
    style = await browser.open(f"{caller.metadata['issuer']}/style.css")
    assert style.headers["content-type"].startswith("text/css")


async def test_a_wrong_password_is_said_and_can_be_mended(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    for email, password in (("alice@example.com", "wrong"), ("eve@example.com", PASSWORD), ("", "")):
        page = await browser.submit(page.form(), email=email, password=password)
        assert page.status == 401
        assert "do not belong together" in page.text
    page = await browser.submit(page.form(), email="Alice@Example.com", password=PASSWORD)
    assert "<strong>alice@example.com</strong>" in page.text


async def test_the_consent_page_says_who_allows_what_where(
    caller: PlainClient, demo: DemoProvider, browser: Browser
) -> None:
    await caller.register(client_name="<b>Plain</b>")
    page = await open_login(caller, browser)
    page = await browser.submit(page.form(), email=USERS[1], password=PASSWORD)
    assert "&lt;b&gt;Plain&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    for fact in ("bob@example.com", demo.mcp_url, REDIRECT_URI, "See the server&#39;s tools and call them"):
        assert fact in page.text


async def test_a_second_request_knows_the_user_who_may_be_another(caller: PlainClient, browser: Browser) -> None:
    await caller.authorize(browser, user=USERS[0])
    page = await browser.open(caller.authorization_url())
    assert USERS[0] in page.text
    page = await browser.submit(page.form(action="/switch"))
    assert page.title == "Sign in - Demo Accounts"
    answer = answer_in((await sign_in(browser, user=USERS[1], follow=False)).headers["location"])
    tokens = (await caller.redeem(answer["code"])).json()
    assert tokens["access_token"]


async def test_an_answered_page_cannot_be_answered_again(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    page = await browser.submit(page.form(), email=USERS[0], password=PASSWORD)
    form = page.form(action="/consent")
    await browser.submit(form, press="allow", follow=False)
    again = await browser.submit(form, press="allow")
    assert (again.status, again.title) == (400, "This request cannot be answered - Demo Accounts")


async def test_another_browser_cannot_take_over(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    async with Browser() as other:
        assert (await other.open(page.url)).status == 403
        assert (await other.submit(page.form(), email=USERS[0], password=PASSWORD)).status == 403


async def test_consent_without_signing_in_is_not_given(caller: PlainClient, browser: Browser) -> None:
    page = await open_login(caller, browser)
    form = page.form()
    form.action = form.action.replace("/login", "/consent")
    page = await browser.submit(form, decision="allow")
    assert page.title == "Sign in - Demo Accounts"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "mcp:write"}, "invalid_scope"),
        ({"resource": "http://127.0.0.1:9/mcp"}, "invalid_target"),
    ],
)
async def test_a_bad_request_is_told_to_the_client(
    caller: PlainClient, demo: DemoProvider, browser: Browser, changes: dict[str, str | None], error: str
) -> None:
    page = await browser.open(caller.authorization_url(**changes), follow=False)
    answer = answer_in(page.headers["location"])
    assert (answer["error"], answer["iss"], answer["state"]) == (error, demo.issuer, "here & there")


@pytest.mark.parametrize(
    "changes", [{"client_id": "unknown"}, {"client_id": None}, {"redirect_uri": REDIRECT_URI + "/evil"}]
)
async def test_an_unproven_client_is_not_redirected_to(
    caller: PlainClient, browser: Browser, changes: dict[str, str | None]
) -> None:
    page = await browser.open(caller.authorization_url(**changes))
    assert (page.status, page.trail) == (400, ())
    assert urlsplit(page.url).path == "/accounts/authorize"


async def test_a_repeated_parameter_is_not_redirected(caller: PlainClient, browser: Browser) -> None:
    page = await browser.open(caller.authorization_url() + "&state=other")
    assert (page.status, page.trail) == (400, ())
