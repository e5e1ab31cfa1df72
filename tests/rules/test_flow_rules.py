"""Rules of the authorization: PKCE, state, redirect URI, issuer, and what the provider's errors may do."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from latchpin.errors import CallbackMalformed, InvalidRequest
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller
from latchpin_memory_store.states import MemoryStateStore

from tests.providers import faults
from tests.rules.conftest import CALLBACK, GatewayUnderTest, Rule, demand, keep, miss, succeeded
from tests.support.gateway_in_process import ADMIN, BASE

EVIL = "https://evil.example"


# -- PKCE -----------------------------------------------------------------------------------------------


async def _refused_for_pkce(tested: GatewayUnderTest) -> None:
    answer = await tested.answer_to(await tested.add())
    demand(answer.status_code == 502 and answer.json()["cause"].startswith("pkce"), f"answered {answer.status_code}")
    demand(not tested.switch.asked("register"), "a client was registered at a server without PKCE")


async def missing_pkce(tested: GatewayUnderTest) -> None:
    tested.switch.arm("metadata", faults.without("code_challenge_methods_supported"))
    await _refused_for_pkce(tested)


async def plain_pkce(tested: GatewayUnderTest) -> None:
    tested.switch.arm("metadata", faults.changed(code_challenge_methods_supported=["plain"]))
    await _refused_for_pkce(tested)


def without_pkce_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.servers.directory.check_pkce", lambda *_, **__: None)


async def verifier_is_sent(tested: GatewayUnderTest) -> None:
    await tested.authorize()
    [sent] = tested.grants("authorization_code")
    [asked] = tested.switch.asked("authorize")
    demand(asked.query.get("code_challenge_method") == "S256", "S256 was not asked for")
    demand(len(sent.get("code_verifier", "")) >= 43, "no verifier was sent")


def without_s256(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.tokens.endpoint import build_code_request

    def bare(**fields):
        return build_code_request(**{**fields, "code_verifier": ""})

    monkeypatch.setattr("latchpin.tokens.endpoint.build_code_request", bare)


# -- state ----------------------------------------------------------------------------------------------


async def _complete_twice(tested: GatewayUnderTest, first: str, second: str) -> tuple[bool, bool]:
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        url = await tested.begin(browser, gateway_id)
        pages = [await browser.open(changed) for changed in (url.replace("code=", first), url.replace("code=", second))]
    return succeeded(pages[0]), succeeded(pages[1])


async def replay(tested: GatewayUnderTest) -> None:
    await _complete_twice(tested, "code=", "code=")
    demand(len(tested.grants("authorization_code")) == 1, "a state was used twice")


def without_single_use(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(store: MemoryStateStore, key):
        return store._entries[key]

    monkeypatch.setattr(MemoryStateStore, "consume", look)


async def forged_state(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        url = await tested.begin(browser, gateway_id)
        query = dict(parse_qsl(urlsplit(url).query))
        head, _, tail = query["state"].partition(".")
        query["state"] = f"{head}.{'B' if tail.startswith('A') else 'A'}{tail[1:]}"
        page = await browser.open(f"{CALLBACK}?{urlencode(query)}")
    demand("Invalid state signature" in page.text, page.title)


def without_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.defaults.signer.HmacSigner.verify", lambda *_, **__: True)


async def late_callback(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        url = await tested.begin(browser, gateway_id)
        tested.gateway.clock.advance(seconds=301)
        page = await browser.open(url)
    demand(not succeeded(page), "a state served after its lifetime")


def without_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.authorization.callback.check_age", lambda *_, **__: None)
    without_single_use(monkeypatch)  # the store compares the time too


async def other_browser(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser, tested.gateway.browser() as other:
        url = await tested.begin(browser, gateway_id)
        page = await other.open(url)
    demand(not succeeded(page), "a flow was finished in another browser")
    demand(not tested.grants("authorization_code"), "the code was redeemed")


def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.authorization.callback.check_browser", lambda *_, **__: None)


# -- redirect URI ---------------------------------------------------------------------------------------


async def redirect_uri_is_ours(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    answer = await tested.answer_to(gateway_id, **headers)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    demand(query["redirect_uri"] == [CALLBACK], f"the redirect URI is {query['redirect_uri']}")
    [sent] = tested.grants("authorization_code")
    demand(sent["redirect_uri"] == CALLBACK, "the token request names another redirect URI")


def without_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.oauth.authorize import AuthorizationLink, AuthorizationRequest, build_authorization_link

    def elsewhere(request: AuthorizationRequest) -> AuthorizationLink:
        link = build_authorization_link(request)
        return replace(link, head=link.head.replace(urlencode({"": CALLBACK})[1:], urlencode({"": EVIL})[1:]))

    monkeypatch.setattr("latchpin.authorization.start.build_authorization_link", elsewhere)


async def foreign_redirect_uri(tested: GatewayUnderTest) -> None:
    body = {"url": tested.switch.provider.mcp_url, "oauth_config": {"redirect_uri": f"{EVIL}/oauth/callback"}}
    try:
        await tested.gateway.application.gateways.create(
            parse_gateway_body(body), Caller(ADMIN, is_admin=True, via="local")
        )
    except InvalidRequest:
        return
    demand(False, "a redirect URI of another host was taken")


def without_own_redirect_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.gateways.rules._own_redirect_uri", lambda uri, *_: uri)


# -- the answer's issuer and the provider's errors ------------------------------------------------------


async def _answered_with(tested: GatewayUnderTest, **fields: str) -> str:
    tested.switch.arm("consent", faults.callback_with(**fields))
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        page = await browser.open(await tested.begin(browser, gateway_id))
    return page.text


async def foreign_iss(tested: GatewayUnderTest) -> None:
    await _answered_with(tested, iss=EVIL)
    demand(not tested.grants("authorization_code"), "a code from another issuer was redeemed")


async def missing_iss(tested: GatewayUnderTest) -> None:
    tested.switch.arm("consent", faults.callback_without("iss"))
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        await browser.open(await tested.begin(browser, gateway_id))
    demand(not tested.grants("authorization_code"), "a code without the promised iss was redeemed")


async def error_of_another_issuer(tested: GatewayUnderTest) -> None:
    text = await _answered_with(tested, iss=EVIL, code="", error="access_denied", error_description="Call 555-1234")
    demand("Call 555-1234" not in text and "declined" not in text, "another issuer's error was shown")


def without_iss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.callback.check_issuer", lambda *_, **__: None)


async def providers_error(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        url = await tested.begin(browser, gateway_id)
        query = {n: v for n, v in parse_qsl(urlsplit(url).query) if n != "code"} | {"error": "access_denied"}
        page = await browser.open(f"{CALLBACK}?{urlencode(query)}")
        again = await browser.open(url)
    demand(page.status == 403 and "declined" in page.text, f"answered {page.status}")
    demand(not succeeded(again), "an error did not use up the flow")


def without_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.callback.build_refusal", lambda _: CallbackMalformed("there is no code"))


async def script_in_an_error(tested: GatewayUnderTest) -> None:
    text = await _answered_with(tested, code="", error="access_denied", error_description="<script>alert(1)</script>")
    demand("alert(1)" in text, "the provider's words are not shown at all, so this check sees nothing")
    demand("<script>alert(1)" not in text, "script came through")


def without_escaping(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.web import rendering

    environment = rendering._environment

    def careless(folder):
        made = environment.__wrapped__(folder)
        made.autoescape = False
        return made

    monkeypatch.setattr(rendering, "_environment", careless)


async def metadata_of_another_issuer(tested: GatewayUnderTest) -> None:
    tested.switch.arm("metadata", faults.changed(issuer=EVIL))
    answer = await tested.answer_to(await tested.add())
    demand(answer.status_code == 502, f"answered {answer.status_code}")


def without_identical_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from latchpin.servers.issuer_search import parse_server_metadata

    def believe(reply, issuer, **options):
        return parse_server_metadata(reply, json.loads(reply.body)["issuer"], **options)

    monkeypatch.setattr("latchpin.servers.issuer_search.parse_server_metadata", believe)


async def metadata_of_another_resource(tested: GatewayUnderTest) -> None:
    tested.switch.arm("resource-metadata", faults.changed(resource=f"{EVIL}/mcp"))
    answer = await tested.answer_to(await tested.add())
    demand(answer.status_code == 502, f"answered {answer.status_code}")


def without_matching_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.discovery._speaks_for", lambda *_: True)


async def issuer_moves(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    moved = f"{BASE.replace('4444', '1')}/elsewhere"
    found = tested.gateway.application.servers._remembered[gateway_id]
    metadata = replace(found.found.metadata, issuer=moved)
    tested.gateway.application.servers._remembered[gateway_id] = replace(
        found, found=replace(found.found, metadata=metadata), judged=None
    )
    answer = await tested.answer_to(gateway_id)
    demand(answer.status_code == 502 and "was pinned" in answer.text, f"answered {answer.status_code}")


def without_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.servers.directory.ServerDirectory._check_pin", lambda *_: None)


RULES = (
    Rule("a server whose metadata does not name PKCE is refused", missing_pkce, without_pkce_check),
    Rule("a server that offers only plain PKCE is refused", plain_pkce, without_pkce_check),
    Rule("S256 is asked for and the verifier sent", verifier_is_sent, without_s256),
    Rule("a state is used once", replay, without_single_use),
    Rule("a state must be signed", forged_state, without_signature),
    Rule("a state has a lifetime", late_callback, without_age),
    Rule("a flow ends in the browser that began it", other_browser, without_browser),
    Rule("the redirect URI comes from BASE_URL alone", redirect_uri_is_ours, without_base_url),
    Rule("a redirect URI leads here", foreign_redirect_uri, without_own_redirect_uri),
    Rule("another issuer's code is not redeemed", foreign_iss, without_iss),
    Rule("a code without the promised iss is not redeemed", missing_iss, without_iss),
    Rule("another issuer's error is not shown", error_of_another_issuer, without_iss),
    Rule("the provider's error is named and ends the flow", providers_error, without_errors),
    Rule("the provider's words are escaped", script_in_an_error, without_escaping),
    Rule("metadata speaks for the issuer that was asked", metadata_of_another_issuer, without_identical_issuer),
    Rule("resource metadata speaks for the MCP server", metadata_of_another_resource, without_matching_resource),
    Rule("another issuer than the pinned one is not followed", issuer_moves, without_pin),
)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@every_rule
async def test_the_rule_is_kept(rule: Rule, environment: pytest.MonkeyPatch):
    await keep(rule, environment)


@every_rule
async def test_without_the_rule_its_check_fails(rule: Rule, environment: pytest.MonkeyPatch):
    await miss(rule, environment)
