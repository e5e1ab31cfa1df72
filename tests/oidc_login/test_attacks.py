"""Who tries to sign in as somebody else, or to sign somebody else in, and what a failure tells."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from latchpin.errors import BackendUnavailable
from latchpin.web.cookies import new_browser_cookie

from tests.oidc_login.conftest import ACCESS_TOKEN, CLIENT, HTML, SECRET, LyingProvider, SignInFlow, signed
from tests.support.gateway_in_process import BASE, open_gateway

JSON = {"accept": "application/json"}


def altered(url: str, **changes: str | None) -> str:
    """The provider's answer with parameters changed; None takes one out."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **changes}
    return urlunsplit(
        parts._replace(query=urlencode({name: value for name, value in query.items() if value is not None}))
    )


@pytest.fixture
async def ada(flow: SignInFlow):
    """A browser in which Ada began to sign in, and the provider's answer to it."""
    async with flow.gateway.browser(None) as browser:
        yield browser, await flow.returned(browser)


# -- the state ------------------------------------------------------------------------------------------


async def test_an_answer_works_once(flow: SignInFlow, ada):
    browser, url = ada
    assert (await browser.open(url)).status == 200
    again = await browser.open(url)
    assert again.status == 400
    assert "sign-in-state" in again.text
    assert await flow.who(browser) == "ada@example.com"  # nothing ended
    assert len(flow.provider.asked) == 1


async def test_of_many_at_once_one_wins(flow: SignInFlow, ada):
    browser, url = ada

    async def use() -> int:
        async with flow.gateway.client(None) as client:
            client.cookies = browser.cookies
            return (await client.get(url)).status_code

    assert sorted(await asyncio.gather(*(use() for _ in range(8)))) == [303, *[400] * 7]
    assert len(flow.provider.asked) == 1


async def test_an_answer_in_another_browser_signs_nobody_in_and_uses_nothing_up(flow: SignInFlow, ada, log):
    browser, url = ada
    async with flow.gateway.browser(None) as victim:
        for other in ({}, {"cookie": f"latchpin-browser-4444={new_browser_cookie()}"}):
            async with flow.gateway.client(None, **other) as client:
                answer = await client.get(url, headers=JSON)
                assert (answer.status_code, answer.json()["cause"]) == (400, "sign-in-state")
                assert "latchpin-session" not in answer.headers.get("set-cookie", "")
        await flow.returned(victim)  # a browser with a cookie of its own
        assert (await victim.open(url)).status == 400
        assert await flow.who(victim) is None
    assert "the browser's cookie is not the one that began" in log()
    assert flow.provider.asked == []
    assert (await browser.open(url)).status == 200


async def test_an_answer_that_comes_too_late(flow: SignInFlow, ada, log):
    browser, url = ada
    flow.gateway.clock.advance(seconds=301)
    page = await browser.open(url)
    assert page.status == 400
    assert "it has expired" in log()
    assert flow.provider.asked == []


async def test_a_forged_state_or_another_ticket_of_ours(flow: SignInFlow, ada):
    browser, url = ada
    state = dict(parse_qsl(urlsplit(url).query))["state"]
    head, body, signature = state.split(".")
    signed_tokens = flow.gateway.application.signed_tokens
    foreign = await signed_tokens.sign("session", {"flow": "f" * 32}, lifetime=timedelta(minutes=1))
    for forged in (
        f"{head}.{body[:-2]}AA.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        "x",
        "é",
        "x" * 9000,
        foreign,
    ):
        page = await browser.open(altered(url, state=forged))
        assert page.status == 400
        assert "sign-in-state" in page.text
    for missing in ({"state": None}, {"code": None}, {"error": "access_denied"}):
        assert (await browser.open(altered(url, **missing))).status == 400
    assert (await browser.open(f"{url}&code=another")).status == 400
    assert flow.provider.asked == []


async def test_a_sign_in_begun_under_other_settings(flow: SignInFlow, ada, company: pytest.MonkeyPatch):
    browser, url = ada
    company.setenv("OIDC_LOGIN_ISSUER", "https://login.other.example")
    flow.gateway.app.state.oidc_login_sign_in = None  # as after a restart
    page = await browser.open(url)
    assert page.status == 400
    assert flow.provider.asked == []


async def test_a_changed_secret_makes_people_begin_again(
    flow: SignInFlow, company: pytest.MonkeyPatch, provider: LyingProvider
):
    async with flow.gateway.browser(None) as browser:
        url = await flow.returned(browser)
        company.setenv("AUTH_ENCRYPTION_SECRET", "another-secret-of-the-tests-with-48-characters!!")
        async with open_gateway() as restarted, restarted.client(None) as client:
            client.cookies = browser.cookies
            answer = await client.get(url, headers=JSON)
    assert (answer.status_code, answer.json()["cause"]) == (400, "sign-in-state")
    assert provider.asked == []


# -- the code -------------------------------------------------------------------------------------------


async def test_anothers_code_in_ones_own_answer(flow: SignInFlow, ada):
    """Code injection (RFC 9700 section 4.5): PKCE stops it at the provider."""
    browser, url = ada
    async with flow.gateway.browser(None) as mallory:
        stolen = dict(parse_qsl(urlsplit(await flow.returned(mallory)).query))["code"]
    page = await browser.open(altered(url, code=stolen))
    assert page.status == 502
    assert "sign-in-provider" in page.text
    assert await flow.who(browser) is None


async def test_anothers_code_where_the_provider_checks_no_pkce(flow: SignInFlow, ada, log):
    """The nonce stops it here."""
    browser, url = ada
    async with flow.gateway.browser(None) as mallory:
        stolen = dict(parse_qsl(urlsplit(await flow.returned(mallory)).query))["code"]
    flow.provider.pkce = False
    page = await browser.open(altered(url, code=stolen))
    assert page.status == 502
    assert "nonce" in log()
    assert await flow.who(browser) is None


# -- the issuer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("iss", ["https://login.evil.example", "", None])
async def test_an_answer_of_another_provider(flow: SignInFlow, iss: str | None):
    """Mix-up (RFC 9700 section 4.4): the code goes nowhere."""
    flow.provider.answer["iss"] = iss
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
    assert page.status == 400
    assert "sign-in-issuer" in page.text
    assert flow.provider.asked == []


async def test_a_provider_that_promises_no_iss_need_not_send_it(flow: SignInFlow):
    flow.provider.metadata["authorization_response_iss_parameter_supported"] = None
    flow.provider.answer["iss"] = None
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        assert await flow.who(browser) == "ada@example.com"


async def test_the_providers_words_are_shown_as_text_and_only_if_they_are_its_own(flow: SignInFlow):
    words = "<b onclick=x()>call 555</b>"
    flow.provider.answer |= {"code": None, "error": "access_denied", "error_description": words}
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        assert (page.status, words in page.text) == (403, False)
        assert "&lt;b onclick=x()&gt;call 555&lt;/b&gt;" in page.text
        assert "sign-in-refused" in page.text
        flow.provider.answer["iss"] = "https://login.evil.example"
        page = await flow.sign_in(browser)
        assert (page.status, "call 555" in page.text) == (400, False)


async def test_a_refusal_uses_the_state_up(flow: SignInFlow, ada):
    browser, url = ada
    assert (await browser.open(altered(url, code=None, error="access_denied"))).status == 403
    assert (await browser.open(url)).status == 400
    assert flow.provider.asked == []


# -- what the provider says -----------------------------------------------------------------------------

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"claims": {"nonce": "n" * 43}}, "nonce"),
    "another audience": ({"claims": {"aud": "other"}}, "audience"),
    "another issuer": ({"claims": {"iss": "https://login.evil.example"}}, "issuer"),
    "expired": ({"claims": {"exp": 1}}, "expired"),
    "an unknown key": ({"sign": lambda claims: signed(claims, kid="two")}, "does not publish"),
    "no ID token": ({"token_answer": (200, {"access_token": "x", "token_type": "Bearer"})}, "no ID token"),
    "an ID token that is none": ({"sign": lambda _: "a.b.c"}, "malformed"),
    "userinfo of another": (
        {"claims": {"email": None}, "userinfo": {"sub": "2", "email": "e@x.org"}},
        "another account",
    ),
}


@pytest.mark.parametrize(("lie", "reason"), LIES.values(), ids=LIES.keys())
async def test_what_the_provider_says_must_hold(flow: SignInFlow, log, lie: dict[str, Any], reason: str):
    for name, value in lie.items():
        setattr(flow.provider, name, value)
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        assert page.status == 502
        assert "id-token" in page.text
        assert reason not in page.text  # that is for the log
        assert await flow.who(browser) is None
    assert reason in log()


async def test_an_address_that_is_not_verified_signs_nobody_in(flow: SignInFlow):
    flow.provider.claims["email_verified"] = False
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        assert page.status == 403
        assert "Have it verified at the provider" in page.text
        assert await flow.who(browser) is None


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "refused": ({"token_answer": (400, {"error": "invalid_grant", "error_description": "spent"})}, "invalid_grant"),
    "a wrong client": ({"token_answer": (401, {"error": "invalid_client"})}, "OIDC_LOGIN_CLIENT_SECRET"),
    "broken": ({"token_answer": (500, {})}, "HTTP 500"),
    "silent about tokens": ({"token_answer": (200, {"id_token": "x"})}, "access_token"),
    "without userinfo": ({"claims": {"email": None}, "metadata": {"userinfo_endpoint": "/nowhere"}}, "userinfo"),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_provider_that_fails_is_named(flow: SignInFlow, log, fault: dict[str, Any], reason: str):
    for name, value in fault.items():
        setattr(flow.provider, name, value)
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        assert page.status == 502
        assert "sign-in-provider" in page.text
    assert reason in log() + page.text


CLIENTS: dict[str, dict[str, str]] = {
    "an unknown method": {"OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD": "tls_client_auth"},
    "no secret": {"OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic", "OIDC_LOGIN_CLIENT_SECRET": ""},
    "no key": {"OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD": "private_key_jwt"},
}


@pytest.mark.parametrize("changes", CLIENTS.values(), ids=CLIENTS.keys())
async def test_a_client_that_cannot_prove_itself_is_named(
    company: pytest.MonkeyPatch, provider: LyingProvider, changes: dict[str, str]
):
    for name, value in changes.items():
        company.setenv(name, value)
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        page = await SignInFlow(gateway, provider).sign_in(browser)
    assert page.status == 502
    assert "sign-in-provider" in page.text
    assert "OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD" in page.text
    assert provider.asked == []


async def test_while_the_store_is_away_nobody_is_signed_in(flow: SignInFlow, ada, monkeypatch: pytest.MonkeyPatch):
    browser, url = ada
    kept = flow.gateway.application.services.kept

    async def fail(*_: object, **__: object) -> None:
        raise BackendUnavailable("the store is away")

    with monkeypatch.context() as away:
        away.setattr(type(kept), "put", fail)
        page = await browser.open(url)
        assert (page.status, "store-unavailable" in page.text) == (503, True)
    assert flow.provider.asked == []
    assert (await browser.open(url)).status == 200  # nothing was used up


METADATA: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"issuer": "https://login.evil.example"}, "not identical"),
    "the issuer with a slash": ({"issuer": "SLASH"}, "not identical"),
    "no keys": ({"jwks_uri": None}, "no jwks_uri"),
    "symmetric algorithms only": ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "no algorithm"),
}


@pytest.mark.parametrize(("changes", "reason"), METADATA.values(), ids=METADATA.keys())
async def test_metadata_that_cannot_be_believed(flow: SignInFlow, log, changes: dict[str, Any], reason: str):
    slash = {"issuer": f"{flow.provider.issuer}/"}
    flow.provider.metadata |= slash if changes == {"issuer": "SLASH"} else changes
    async with flow.gateway.browser(None) as browser:
        page = await browser.open(f"{BASE}/login/oidc")
        assert page.status == 502
        assert "OIDC_LOGIN_ISSUER" in page.text
        flow.provider.metadata.clear()  # failures are not remembered
        await flow.sign_in(browser)
        assert await flow.who(browser) == "ada@example.com"
    assert reason in log()


async def test_http_providers_only_where_private_networks_are_allowed(company: pytest.MonkeyPatch, log):
    company.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "false")
    async with open_gateway() as gateway, gateway.client(None) as client:
        answer = await client.get(f"{BASE}/login/oidc", headers=JSON)
    assert (answer.status_code, answer.json()["cause"]) == (502, "sign-in-provider")
    assert "OAUTH_ALLOW_PRIVATE_NETWORKS" in log()


# -- what is said and logged ----------------------------------------------------------------------------


async def test_no_secret_is_logged_or_shown(flow: SignInFlow, ada, log):
    browser, url = ada
    answer = dict(parse_qsl(urlsplit(url).query))
    pages = [(await browser.open(each)).text for each in (altered(url, state="x"), altered(url, code="wrong"), url)]
    (begun,) = flow.provider.begun
    (asked,) = flow.provider.asked
    secrets = [answer["state"], answer["code"], begun["nonce"], asked.form["code_verifier"], SECRET, ACCESS_TOKEN]
    for secret in secrets:
        assert secret not in log()
        assert not any(secret in page for page in pages)


async def test_looking_with_head_begins_and_completes_nothing(flow: SignInFlow, ada):
    browser, url = ada
    async with flow.gateway.client(None) as client:
        client.cookies = browser.cookies
        assert (await client.head(f"{BASE}/login/oidc")).status_code == 405
        assert (await client.head(url)).status_code == 405
    assert (await browser.open(url)).status == 200


async def test_installed_but_not_set_up_it_does_nothing(environment: pytest.MonkeyPatch):
    async with open_gateway() as gateway, gateway.client(None) as client:
        for path in ("/login/oidc", "/login/oidc/callback?code=a&state=b", "/login/oidc/sign-out"):
            answer = await client.get(f"{BASE}{path}", headers=JSON)
            assert answer.status_code == httpx.codes.NOT_FOUND
            assert "not set up" in answer.json()["detail"]
        assert "Sign in with" not in (await client.get(f"{BASE}/login", headers=HTML)).text


async def test_believing_without_proof_is_said_loudly(company: pytest.MonkeyPatch, provider: LyingProvider, log):
    company.setenv("OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL", "true")
    async with open_gateway():
        pass
    assert (
        f"WARNING - OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL=true: whoever can choose an address at {provider.issuer}" in log()
    )


@pytest.mark.parametrize("domains", ["example.com", "other.example"])
async def test_only_admitted_domains_sign_in(company: pytest.MonkeyPatch, provider: LyingProvider, domains: str):
    company.setenv("OIDC_LOGIN_ALLOWED_DOMAINS", domains)
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        flow = SignInFlow(gateway, provider)
        page = await flow.sign_in(browser)
        assert page.status == (200 if domains == "example.com" else 403)
        assert domains == "example.com" or domains not in page.text  # who is admitted is nobody's to know
    assert CLIENT not in page.text
