"""What strangers, other sites and look-alike addresses get out of the authorization endpoint: nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from latchpin_authorization_server.grants import requests
from latchpin_authorization_server.redirect_uris import check_redirect_uri, matches
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

CONSENT = "/oauth2/decision"
BOB = "bob@example.com"


# -- where answers go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        "https://app.example/cb/",
        "https://app.example/cb?",
        "https://app.example/CB",
        "https://app.example:8443/cb",
        "https://app.example:443/cb",
        "https://user@app.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example/%63b",
        "https://app.example/x/../cb",
        "https://app.example/cb#fragment",
        "https://app.example.evil.example/cb",
        "http://app.example/cb",
        "HTTPS://app.example/cb",
        "https://app.example/cb\\@evil.example",
        " https://app.example/cb",
        "//app.example/cb",
    ],
)
def test_no_other_address_is_the_registered_one(asked: str):
    assert not matches("https://app.example/cb", asked)


@pytest.mark.parametrize(
    ("registered", "asked", "same"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5050/cb", True),
        ("http://localhost:1/cb", "http://localhost:5050/cb", True),
        ("http://[::1]:1/cb", "http://[::1]:2/cb", True),
        ("http://127.0.0.1/cb", "http://localhost/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5050/cb/", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5050@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://user@127.0.0.1:1/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb", False),
        ("com.example.app:/cb", "com.example.app:/cb2", False),
    ],
)
def test_on_loopback_only_the_port_may_differ(registered: str, asked: str, *, same: bool):
    assert matches(registered, asked) is same


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//a.b",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://a.example/x",
        "http://app.example/cb",
        "http://10.0.0.1/cb",
        "http://localhost.evil.example/cb",
        "https://app.example/cb#x",
        "https://user:pw@app.example/cb",
        "https:///cb",
        "https://app.example/*\\",
        "myapp:/cb",
        "com.example.app:",
        "/cb",
        "",
        None,
        "https://app.example/" + "a" * 2000,
        "https://app.example/\nx",
        "https://\u0430pp.example/cb",
    ],
)
def test_what_no_client_may_register(uri: object):
    with pytest.raises(ValueError, match="redirect URI"):
        check_redirect_uri(uri)


@pytest.mark.parametrize("uri", ["cursor://anysphere.cursor-mcp/oauth/cb", "com.example.app:/cb", "own:/cb"])
def test_private_use_schemes_with_a_dot_of_known_clients_or_as_set(uri: str):
    assert check_redirect_uri(uri, schemes=("own",)) == uri


async def test_an_address_that_was_not_registered_gets_no_answer(stock: StockClient, browser: Browser):
    await stock.introduce()
    page = await browser.open(stock.authorization_url(redirect_uri="https://evil.example/cb"))
    assert (page.status, urlsplit(page.url).path) == (400, "/oauth2/authorize")
    assert "evil.example" not in page.headers.get("location", "")
    assert page.refresh == ""


async def test_a_client_that_nobody_knows_gets_no_answer(stock: StockClient, browser: Browser):
    await stock.introduce()
    page = await browser.open(stock.authorization_url(client_id="somebody"))
    assert (page.status, page.title) == (400, "This application is not known here")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://evil.example/mcp"}, "invalid_target"),
        ({"resource": f"{BASE}/gateways/{'0' * 32}/mcp"}, "invalid_target"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
    ],
)
async def test_a_request_that_does_not_hold_is_told_to_the_client(
    stock: StockClient, browser: Browser, changes: dict[str, str | None], error: str
):
    await stock.introduce()
    answer = answer_of(await browser.open(stock.authorization_url(**changes)))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "here & there", BASE)


async def test_a_parameter_that_comes_twice_gets_no_answer(stock: StockClient, browser: Browser):
    await stock.introduce()
    page = await browser.open(f"{stock.authorization_url()}&redirect_uri=https%3A%2F%2Fevil.example%2Fcb")
    assert page.status == 400


async def test_a_person_leaves_only_so_many_unanswered(
    stock: StockClient, browser: Browser, gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(requests, "MOST_OF_ONE_PERSON", 2)
    await stock.introduce()
    pages = [await browser.open(stock.authorization_url()) for _ in range(3)]
    assert [page.status for page in pages] == [200, 200, 429]
    async with gateway.browser(BOB) as another:
        assert (await another.open(stock.authorization_url())).status == 200
    await browser.submit(pages[0].form(action=CONSENT), decision="deny")
    assert (await browser.open(stock.authorization_url())).status == 200


# -- whose consent it is --------------------------------------------------------------------------------------


async def test_another_site_cannot_use_a_consent_that_was_given(
    stock: StockClient, browser: Browser, gateway: InnerGateway
):
    """The client's id is everybody's: whoever begins with it gets a page that asks, and no code."""
    await stock.gets_in(browser)
    client = gateway.client(ALICE, **{"Accept": "text/html", "Sec-Fetch-Site": "cross-site"})
    async with client:
        client.cookies = browser.cookies
        answer = await client.get(stock.authorization_url())
    assert answer.status_code == 200
    assert CONSENT in answer.text
    assert "code=" not in answer.text


async def test_a_browser_that_does_not_say_where_it_comes_from_is_asked(
    stock: StockClient, browser: Browser, gateway: InnerGateway
):
    await stock.gets_in(browser)
    async with gateway.client(ALICE, Accept="text/html") as client:
        client.cookies = browser.cookies
        assert CONSENT in (await client.get(stock.authorization_url())).text


async def test_a_client_may_want_the_person_to_be_asked_again(stock: StockClient, browser: Browser):
    await stock.gets_in(browser)
    page = await browser.open(stock.authorization_url(prompt="consent"))
    assert page.form(action=CONSENT)


async def test_the_page_cannot_be_framed(stock: StockClient, browser: Browser):
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "form-action 'self'" in page.headers["content-security-policy"]


async def test_the_answer_cannot_be_forged(stock: StockClient, browser: Browser):
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    form = page.form(action=CONSENT)
    for token in ("", "x", form.fields["csrf_token"] + "x"):
        refused = await browser.submit(form, press="allow", csrf_token=token)
        assert refused.status == 403
    assert answer_of(await stock.visit(browser))["code"]


async def test_nobody_else_answers_for_a_person(stock: StockClient, browser: Browser, gateway: InnerGateway):
    """The page's id is not a secret: another person and another browser have nothing of it."""
    await stock.introduce()
    form = (await browser.open(stock.authorization_url())).form(action=CONSENT)
    for who in (ALICE, BOB):
        async with Browser(gateway.client(who), stops_before=REDIRECT_URI) as other:
            own = (await other.open(stock.authorization_url())).form(action=CONSENT)
            page = await other.submit(own, press="allow", request=form.fields["request"])
            assert (page.status, page.title) == (400, "Start again from the application")
            page = await other.open(f"{BASE}/oauth2/continue?request={form.fields['request']}&skip=all")
            assert page.status == 400


async def test_a_request_cannot_be_continued_past_the_consent(stock: StockClient, browser: Browser):
    await stock.introduce()
    form = (await browser.open(stock.authorization_url())).form(action=CONSENT)
    page = await browser.open(f"{BASE}/oauth2/continue?request={form.fields['request']}&skip=all")
    assert page.form(action=CONSENT)


async def test_a_request_is_answered_once(stock: StockClient, browser: Browser):
    await stock.introduce()
    form = (await browser.open(stock.authorization_url())).form(action=CONSENT)
    await browser.submit(form, press="deny")
    await browser.open(stock.authorization_url())
    page = await browser.submit(form, press="allow")
    assert (page.status, page.title) == (400, "Start again from the application")


async def test_the_names_of_clients_are_text(stock: StockClient, browser: Browser):
    await stock.introduce(client_name="<script>alert(1)</script>\u202e" + "x" * 500)
    page = await browser.open(stock.authorization_url())
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert "x" * 100 not in page.text


async def test_an_answer_of_the_mcp_servers_own_server_is_none_of_ours(stock: StockClient, browser: Browser, files):
    """Mix-up: our code at the upstream callback, and the upstream's state at our endpoints, do nothing."""
    await stock.introduce()
    answer = answer_of(await stock.visit(browser))
    page = await browser.open(f"{BASE}/oauth/callback?code={answer['code']}&state={answer['state']}")
    assert page.status == 400
    redeemed = (await stock.redeem(answer["code"])).json()
    assert "access_token" in redeemed


async def test_neither_codes_nor_states_nor_tokens_are_logged(stock: StockClient, browser: Browser, log):
    await stock.introduce()
    answer = answer_of(await stock.visit(browser, state="the-clients-own-state"))
    tokens = (await stock.redeem(answer["code"])).json()
    await stock.refresh(tokens["refresh_token"])
    await stock.call(tokens["access_token"])
    written = log()
    for secret in (answer["code"], "the-clients-own-state", tokens["access_token"], tokens["refresh_token"]):
        assert secret not in written
