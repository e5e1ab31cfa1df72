"""People sign in: the whole way, who they are afterwards, and how it ends."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from latchpin.model import Caller, IdentityAssertion, IdentityProvider
from latchpin_audit.log import AuditLog

from tests.identity.test_bearer import HMAC_KEY
from tests.oidc_login.conftest import CLIENT, HTML, SECRET, LyingProvider, SignInFlow, hash_of
from tests.support.gateway_in_process import ADMIN, BASE, InnerGateway, open_gateway
from tests.web.conftest import claims_at

SESSION = "latchpin-session-4444"


async def test_from_the_login_page_to_where_the_person_wanted_to_go(flow: SignInFlow, log):
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser, "/admin/gateways%3Fa=b")
        assert page.url == f"{BASE}/admin/gateways?a=b"
        assert page.status == 200
        assert await flow.who(browser) == "ada@example.com"
    assert "Signed in user ada@example.com at Example" in log()


async def test_a_sign_in_that_is_loaded_in_advance_waits_for_its_person(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser, flow.gateway.client(None, **{"Sec-Purpose": "prefetch"}) as early:
        url = await flow.returned(browser)
        early.cookies = browser.cookies
        for path in (f"{BASE}/login/oidc", url, f"{BASE}/login/oidc/sign-out"):
            answer = await early.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (425, "no-store")
            assert "set-cookie" not in answer.headers
        assert flow.provider.asked == []
        await browser.open(url)
        assert await flow.who(browser) == "ada@example.com"


async def test_what_is_asked_of_the_provider(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
    (begun,) = flow.provider.begun
    assert begun["scope"] == "openid email"
    assert begun["client_id"] == CLIENT
    assert begun["redirect_uri"] == f"{BASE}/login/oidc/callback"
    assert (begun["response_type"], begun["code_challenge_method"]) == ("code", "S256")
    assert len(begun["nonce"]) == len(begun["code_challenge"]) == 43
    assert len(begun["state"]) < 1024
    (asked,) = flow.provider.asked
    assert asked.form["grant_type"] == "authorization_code"
    assert asked.headers["authorization"].startswith("Basic ")
    assert "client_secret" not in asked.form


async def test_nothing_of_two_sign_ins_is_the_same(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        await flow.sign_in_again(browser)
    first, second = flow.provider.begun
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


async def test_on_the_way_to_a_provider_a_page_names_the_person(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser, "/oauth/authorize/" + "a" * 32)
    assert urlsplit(page.url).path == "/login"  # code and state have left the address bar
    assert "ada@example.com" in page.text
    assert f'href="/oauth/authorize/{"a" * 32}"' in page.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/%5cevil.example", "/login/oidc"])
async def test_nobody_is_sent_elsewhere_afterwards(flow: SignInFlow, target: str):
    async with flow.gateway.browser(None) as browser:
        page = await browser.open(f"{BASE}/login/oidc?next={target}")
    assert page.url == f"{BASE}/"


async def test_the_state_does_not_tell_where_the_person_is_going(flow: SignInFlow):
    async with flow.gateway.client(None) as client:
        sent = await client.get(f"{BASE}/login/oidc", params={"next": "/admin/gateways?secret-plan"})
    state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
    payload = state.split(".")[1]
    assert b"secret-plan" not in base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


async def test_beginning_stores_nothing(flow: SignInFlow):
    kept = flow.gateway.application.services.kept
    before = repr(vars(kept))
    async with flow.gateway.client(None) as client:
        assert (await client.get(f"{BASE}/login/oidc")).status_code == 302  # the keys are made now
        before = repr(vars(kept))
        for _ in range(5):
            assert (await client.get(f"{BASE}/login/oidc")).status_code == 302
    assert repr(vars(kept)) == before


# -- the session ----------------------------------------------------------------------------------------


async def test_each_sign_in_starts_a_new_session_and_ends_the_earlier_one(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser, flow.gateway.client(None) as thief:
        await flow.sign_in(browser)
        planted = browser.cookies[SESSION]
        await flow.sign_in_again(browser)
        assert browser.cookies[SESSION] != planted
        assert (await thief.get(f"{BASE}/", headers={**HTML, "cookie": f"{SESSION}={planted}"})).status_code == 303


async def test_a_failed_sign_in_leaves_the_earlier_session(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        flow.provider.claims["email_verified"] = False
        assert (await flow.sign_in_again(browser)).status == 403
        assert await flow.who(browser) == "ada@example.com"


async def test_who_signed_in_is_in_the_audit_log(flow: SignInFlow):
    audit = AuditLog.of(flow.gateway.application.services.context).records
    async with flow.gateway.browser(None) as browser:
        flow.provider.claims["email_verified"] = False
        await flow.sign_in(browser)
        assert await audit.last() is None
        flow.provider.claims.clear()
        await flow.sign_in(browser)
    entry = await audit.last()
    assert entry is not None
    assert (entry.event, entry.facts) == ("person.signed-in", {"way": "oidc"})
    assert entry.actor == entry.subject != "ada@example.com"


async def test_a_session_lasts_as_long_as_the_settings_say(company: pytest.MonkeyPatch, provider: LyingProvider):
    company.setenv("OIDC_LOGIN_SESSION_SECONDS", "600")
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        flow = SignInFlow(gateway, provider)
        await flow.sign_in(browser)
        gateway.clock.advance(seconds=540)
        assert await flow.who(browser) == "ada@example.com"
        gateway.clock.advance(seconds=70)
        assert await flow.who(browser) is None


async def test_cores_limit_on_sessions_holds(company: pytest.MonkeyPatch, provider: LyingProvider):
    company.setenv("OIDC_LOGIN_SESSION_SECONDS", "6000")
    company.setenv("SESSION_LIFETIME_SECONDS", "60")
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        flow = SignInFlow(gateway, provider)
        await flow.sign_in(browser)
        gateway.clock.advance(seconds=61)
        assert await flow.who(browser) is None


async def test_who_signs_out_here_is_led_to_the_providers_sign_out(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        page = await browser.submit(page.form(action="/logout"))
        assert await flow.who(browser) is None
        assert 'href="/login/oidc/sign-out"' in page.text
        sent = await browser.open(f"{BASE}/login/oidc/sign-out", follow=False)
    location = urlsplit(str(sent.headers["location"]))
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{flow.provider.issuer}/end"
    assert parse_qs(location.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{BASE}/logout"]}


async def test_a_provider_without_a_sign_out_is_not_linked_to_and_named(flow: SignInFlow):
    flow.provider.metadata["end_session_endpoint"] = None
    async with flow.gateway.browser(None) as browser:
        page = await browser.open(f"{BASE}/logout")
        assert "You are signed out." in page.text
        assert "sign-out" not in page.text
        page = await browser.open(f"{BASE}/login/oidc/sign-out")
    assert page.status == 404
    assert "close the browser" in page.text


# -- who the person is ----------------------------------------------------------------------------------


async def is_admin(flow: SignInFlow) -> bool:
    async with flow.gateway.browser(None) as browser:
        page = await flow.sign_in(browser)
        return "an administrator" in page.text


async def test_an_administrator_by_address(flow: SignInFlow):
    flow.provider.claims["email"] = ADMIN.upper()
    assert await is_admin(flow)


async def test_nobody_else_is_one(flow: SignInFlow):
    flow.provider.claims["groups"] = ["admins"]  # no group is set
    assert not await is_admin(flow)


@pytest.mark.parametrize(
    ("groups", "admin"),
    [(["staff", "Gateway Admins"], True), ("Gateway Admins", True), (["staff"], False), ([["Gateway Admins"]], False)],
)
async def test_an_administrator_by_group(company: pytest.MonkeyPatch, provider: LyingProvider, groups, admin: bool):
    company.setenv("OIDC_LOGIN_ADMIN_GROUPS", '["Gateway Admins", "ops"]')
    company.setenv("OIDC_LOGIN_GROUPS_CLAIM", "roles")
    provider.claims["roles"] = groups
    async with open_gateway() as gateway:
        assert await is_admin(SignInFlow(gateway, provider)) is admin


async def test_userinfo_tells_what_the_id_token_leaves_open(company: pytest.MonkeyPatch, provider: LyingProvider):
    company.setenv("OIDC_LOGIN_ADMIN_GROUPS", "ops")
    provider.claims |= {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "account-1", "email": "ada@example.com", "email_verified": True, "groups": ["ops"]}
    async with open_gateway() as gateway:
        assert await is_admin(SignInFlow(gateway, provider))


async def test_an_at_hash_that_holds_is_fine(flow: SignInFlow):
    flow.provider.claims["at_hash"] = hash_of()
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        assert await flow.who(browser) == "ada@example.com"


async def test_many_who_begin_at_once_ask_for_the_metadata_once(flow: SignInFlow):
    async with flow.gateway.client(None) as client:
        answers = await asyncio.gather(*(client.get(f"{BASE}/login/oidc") for _ in range(10)))
        assert {answer.status_code for answer in answers} == {302}
        assert flow.provider.metadata_asked == 1
        flow.gateway.clock.advance(hours=2)
        await client.get(f"{BASE}/login/oidc")
    assert flow.provider.metadata_asked == 2


# -- how the client proves itself -----------------------------------------------------------------------


async def test_the_secret_in_the_body(company: pytest.MonkeyPatch, provider: LyingProvider):
    company.setenv("OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_post")
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        await SignInFlow(gateway, provider).sign_in(browser)
    (asked,) = provider.asked
    assert asked.form["client_secret"] == SECRET
    assert "authorization" not in asked.headers


async def test_a_public_client(company: pytest.MonkeyPatch, provider: LyingProvider):
    company.delenv("OIDC_LOGIN_CLIENT_SECRET")
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        await SignInFlow(gateway, provider).sign_in(browser)
    (asked,) = provider.asked
    assert asked.form["client_id"] == CLIENT
    assert not {"client_secret", "client_assertion"} & asked.form.keys()
    assert "authorization" not in asked.headers


# -- the ID token ---------------------------------------------------------------------------------------


async def vouched(gateway: InnerGateway, email: str, issuer: str) -> IdentityAssertion | None:
    """What core finds when a gateway gets its tokens by the provider's word."""
    provider = IdentityProvider(issuer, None, CLIENT)
    for source in gateway.application.services.assertion_sources:
        found = await source.find(Caller(email), provider)
        if found is not None:
            return found
    return None


async def test_an_id_token_is_kept_only_if_that_is_wanted(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
    assert await vouched(flow.gateway, "ada@example.com", flow.provider.issuer) is None


async def test_a_kept_id_token_vouches_for_its_person_until_it_expires(
    company: pytest.MonkeyPatch, provider: LyingProvider
):
    company.setenv("OIDC_LOGIN_KEEP_ID_TOKEN", "true")
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        await SignInFlow(gateway, provider).sign_in(browser)
        found = await vouched(gateway, "ada@example.com", provider.issuer)
        assert found is not None
        assert jwt.decode(found.token, options={"verify_signature": False})["sub"] == "account-1"
        assert found.token not in str(await gateway.application.services.kept.list(""))
        assert await vouched(gateway, "eve@example.com", provider.issuer) is None
        assert await vouched(gateway, "ada@example.com", "https://login.other.example") is None
        gateway.clock.advance(seconds=301)
        assert await vouched(gateway, "ada@example.com", provider.issuer) is None


async def test_the_groups_of_a_sign_in_count_for_the_persons_programs_for_some_days(
    company: pytest.MonkeyPatch, provider: LyingProvider
):
    """A token of the gateway's own says nothing of groups: what the provider said last is remembered."""
    company.setenv("OIDC_LOGIN_GROUPS_DAYS", "2")
    provider.claims["groups"] = ["Staff of Köln", "all"]
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        application, ada = gateway.application, Caller("ada@example.com")
        await SignInFlow(gateway, provider).sign_in(browser)
        assert (await application.with_groups(ada)).groups == {"Staff%20of%20Köln", "all"}
        assert (await application.with_groups(Caller("eve@example.com"))).groups == frozenset()
        gateway_id = await gateway.add("https://mcp.example.com/mcp", allowed_users="group:all")
        token = await application.signed_tokens.create_bearer(ada.email, False, timedelta(days=9))
        async with gateway.client(None, Authorization=f"Bearer {token}") as program:
            assert (await program.get(f"{BASE}/gateways/{gateway_id}")).status_code == 200
            provider.claims["groups"] = []
            await SignInFlow(gateway, provider).sign_in_again(browser)
            gateway.clock.advance(seconds=1)
            assert (await program.get(f"{BASE}/gateways/{gateway_id}")).status_code == 404
            provider.claims["groups"] = "all"
            await SignInFlow(gateway, provider).sign_in_again(browser)
            gateway.clock.advance(seconds=1)
            assert (await program.get(f"{BASE}/gateways/{gateway_id}")).status_code == 200
            gateway.clock.advance(days=2)
            assert (await program.get(f"{BASE}/gateways/{gateway_id}")).status_code == 404


async def test_a_token_that_names_no_groups_says_so_and_one_without_the_claim_says_nothing(
    company: pytest.MonkeyPatch, provider: LyingProvider
):
    company.setenv("OIDC_LOGIN_GROUPS_DAYS", "2")
    company.setenv("JWT_GROUPS_CLAIM", "groups")
    company.setenv("JWT_SECRET_KEY", HMAC_KEY)
    provider.claims["groups"] = ["all"]
    async with open_gateway() as gateway, gateway.browser(None) as browser:
        await SignInFlow(gateway, provider).sign_in(browser)
        gateway_id = await gateway.add("https://mcp.example.com/mcp", allowed_users="group:all")
        for said, status in (({}, 200), ({"groups": ["all"]}, 200), ({"groups": []}, 404), ({"groups": 7}, 404)):
            token = jwt.encode(claims_at(gateway.clock, iss=BASE, aud=BASE, **said), HMAC_KEY)
            async with gateway.client(None, Authorization=f"Bearer {token}") as program:
                assert (await program.get(f"{BASE}/gateways/{gateway_id}")).status_code == status, said


async def test_a_sign_in_that_failed_names_itself_and_no_flow_that_could_be_looked_at(flow: SignInFlow, log):
    async with flow.gateway.browser(None) as browser, flow.gateway.client(None) as client:
        url = await flow.returned(browser)
        client.cookies = browser.cookies
        await browser.open(url)
        problem = (await client.get(url)).json()
    assert problem["status"] >= 400
    assert "flow_id" not in problem
    assert "flow_url" not in problem
    assert f"request {problem['request_id']}" in log()
