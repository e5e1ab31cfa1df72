"""One test for each attack that the gateway must defeat. The docstring names the attack.

Where other tests prove more of the same defence, ``proven_by`` names them and fails if they are gone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
from latchpin.errors import InvalidRequest
from latchpin.identity.login import create_link
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.oauth.state import build_state, parse_state

from tests.faults.test_discovery_and_registration import FAULTS
from tests.providers import FaultSwitch, faults, sign_in, start_fault_switch
from tests.support.gateway_in_process import (
    ADMIN,
    ALICE,
    BASE,
    USER_HEADER,
    Connected,
    InnerGateway,
    connect,
    open_gateway,
)
from tests.threats.evidence import proven_by

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BOB = "bob@example.com"
TITLE = "OAuth Authorization Successful"
SCRIPT = "<script>alert(1)</script>"
OURS = r'<script src="/static/(authorization|authorize|copy)\.js" defer>'
CALLBACKS = "callback/test_callback_causes.py"


def parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]


def changed(url: str, **values: str) -> str:
    query = dict(parse_qsl(urlsplit(url).query)) | values
    return urlsplit(url)._replace(query=urlencode(query)).geturl()


async def bearer_fetch(gateway: InnerGateway, gateway_id: str) -> httpx.Response:
    token = await SignedTokens.of(gateway.application.services).create_bearer(ALICE, False, timedelta(hours=1))
    async with gateway.client(None, Authorization=f"Bearer {token}") as alice:
        return await alice.post(f"{BASE}/oauth/fetch-tools/{gateway_id}")


@asynccontextmanager
async def peer(gateway: InnerGateway, address: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller from another address than this machine's."""
    transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False, client=(address, 5000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


async def test_1_login_csrf(gateway: InnerGateway, provider: FaultSwitch):
    """An attacker lets a victim's browser finish the attacker's flow, or finishes the victim's."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser(ALICE) as attacker, gateway.browser(BOB) as victim, gateway.client(BOB) as stranger:
        planted = await gateway.returned(attacker, gateway_id)
        own = await gateway.returned(victim, gateway_id)  # the victim's browser has a cookie of its own
        assert (await victim.open(planted)).status == 403
        assert (await attacker.open(own)).status == 403
        assert (await stranger.get(own)).status_code == 403  # the right user in another browser
        assert provider.asked("token") == []
        assert BOB in (await victim.open(own)).text
    proven_by(
        CALLBACKS,
        "test_a_callback_in_another_browser_says_only_that_and_uses_nothing_up",
        "test_another_signed_in_user_in_the_same_browser_is_refused",
    )


async def test_2_replayed_state(gateway: InnerGateway, provider: FaultSwitch):
    """A state is sent many times at once, to be used by more than one."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(Accept="application/json") as client:
        url = await gateway.returned(browser, gateway_id)
        client.cookies = browser.cookies
        answers = await asyncio.gather(*(client.get(url) for _ in range(16)))
        late = await client.get(url)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15
    assert {answer.json()["cause"] for answer in [*answers, late] if answer.status_code == 400} == {"state-used"}
    assert len(provider.asked("token")) == 1
    proven_by("flow/test_workers.py", "test_what_one_worker_began_the_other_completes")
    proven_by(CALLBACKS, "test_a_reloaded_callback_is_named_as_used_with_the_time")


async def test_3_forged_state(gateway: InnerGateway, provider: FaultSwitch, environment):
    """A state is made up, altered, or signed with somebody else's key under the name of ours."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    environment.setenv("AUTH_ENCRYPTION_SECRET", "the-attackers-own-secret-of-more-than-32-bytes")
    async with open_gateway() as other, gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        signer = other.application.services.signer
        payload = parse_state(parameter(url, "state"), gateway.application.services.signer)
        for key_id in (payload.key_id, signer.key_id):
            forged = build_state(replace(payload, key_id=key_id), signer)
            page = await browser.open(changed(url, state=forged))
            assert (page.status, "Invalid state signature" in page.text) == (400, True)
        assert (await browser.open(url)).title == TITLE
    proven_by(CALLBACKS, "test_a_forged_callback_is_named_and_uses_nothing_up")
    proven_by("oauth/test_state.py", "test_no_single_changed_character_is_accepted")
    proven_by("oauth/test_state.py", "test_a_state_signed_under_an_earlier_secret_still_holds")


async def test_4_mix_up(gateway: InnerGateway, provider: FaultSwitch):
    """A hostile authorization server makes the gateway send it another server's code."""
    own_path = {"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}
    with start_fault_switch() as evil:
        honest_id = await gateway.add(provider.provider.mcp_url, oauth_config=own_path)
        evil_id = await gateway.add(evil.provider.mcp_url, oauth_config=own_path)
        async with gateway.browser() as browser:
            honest = await gateway.returned(browser, honest_id)  # with the honest code and iss
            hostile = await gateway.returned(browser, evil_id)
            page = await browser.open(changed(hostile, code=parameter(honest, "code"), iss=provider.provider.issuer))
            assert page.status == 400
            hostile = await gateway.returned(browser, evil_id)
            page = await browser.open(changed(honest, state=parameter(hostile, "state")))  # to the honest path
            assert (page.status, "gateway mismatch" in page.text) == (400, True)
        assert evil.asked("token") == provider.asked("token") == []
    proven_by(CALLBACKS, "test_iss_that_was_promised_and_is_missing_is_refused")
    proven_by("oauth/test_callback.py", "test_iss_is_compared_with_the_remembered_issuer")


async def test_5_injected_code_and_pkce_downgrade(gateway: InnerGateway, provider: FaultSwitch):
    """A stolen code is put into the attacker's own flow; a server that does not insist on PKCE is used."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser(BOB) as victim, gateway.browser(ALICE) as attacker:
        stolen = parameter(await gateway.returned(victim, gateway_id), "code")
        page = await attacker.open(changed(await gateway.returned(attacker, gateway_id), code=stolen))
    assert page.status == 502
    assert "invalid_grant" in page.text
    assert provider.accounts.ledger.living() == []
    assert {"no PKCE", "plain PKCE"} <= set(FAULTS)
    proven_by("faults/test_discovery_and_registration.py", "test_a_misbehaving_server_is_named_and_nothing_is_kept")


async def test_6_server_side_request_forgery(environment):
    """URLs that lead the gateway to its own machine or network, at once, by name, or by redirect."""
    environment.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "false")
    reached: list[str] = []
    inside = await asyncio.start_server(lambda _, writer: (reached.append("yes"), writer.close()), "127.0.0.1", 0)
    port = inside.sockets[0].getsockname()[1]
    hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    async with inside, open_gateway() as gateway, gateway.client(Accept="application/json") as alice:
        for url in [f"{scheme}://{host}:{port}/mcp" for host in hosts for scheme in ("http", "https")]:
            gateway_id = await gateway.add(url)
            answer = await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")
            assert (answer.status_code, answer.json()["cause"]) == (502, "discovery-failed"), url
            plain = await gateway.add(url, auth_type="none")
            assert (await bearer_fetch(gateway, plain)).status_code == 502, url
        for host in ("127.1", "2130706433", "0x7f.1"):  # other ways to write an address are no host at all
            with pytest.raises(InvalidRequest, match="as its host"):
                await gateway.add(f"http://{host}:{port}/mcp")
    assert reached == []
    proven_by("http/test_hostile.py", "test_private_addresses_are_refused_before_connecting")
    proven_by("http/test_hostile.py", "test_the_address_that_was_checked_is_the_one_connected_to")
    proven_by("http/test_upstream.py", "test_redirects_are_answers")


def test_7_hostile_metadata():
    """Metadata name another issuer, or an authorization URL that is a script or a file."""
    assert {"wrong issuer", "javascript", "file", "resource of another"} <= set(FAULTS)
    proven_by("faults/test_discovery_and_registration.py", "test_a_misbehaving_server_is_named_and_nothing_is_kept")
    proven_by("discovery/test_discovery.py", "test_the_issuer_must_be_identical")


async def test_8_script_in_texts_of_others(gateway: InnerGateway, provider: FaultSwitch):
    """Script in an error, its description, or in names of gateways, tools and clients."""
    gateway_id = await gateway.add(provider.provider.mcp_url, name=SCRIPT)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        pages = [
            await browser.open(f"{BASE}/admin/gateways"),
            await browser.open(changed(url, iss=SCRIPT)),
            await browser.open(f"{BASE}/oauth/authorize/{SCRIPT}"),
            await browser.open(f"{BASE}/oauth/callback?error={SCRIPT}&error_description={SCRIPT}&state={SCRIPT}"),
        ]
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        pages.append(await sign_in(browser))
    assert pages[-1].title == TITLE
    for page in pages:
        assert "<script" not in re.sub(OURS, "", page.text), page.url
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not [word for word in (" onclick=", " onload=", "javascript:") if word in page.text]
    proven_by("faults/test_fetch_tools.py", "test_script_in_names_and_descriptions_is_shown_as_text")
    proven_by(CALLBACKS, "test_a_providers_error_is_explained_and_ends_the_flow")


async def test_9_open_redirect(gateway: InnerGateway):
    """``next`` leads to another site after signing in."""
    targets = ("//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil.example", "/%09/evil.example")
    for target in targets:
        async with gateway.client(None, Accept="text/html", Origin=BASE) as client:
            link = await create_link(gateway.application.services, ALICE)
            assert (
                "evil" not in (await client.get(link, params={"next": target, "token": parameter(link, "token")})).text
            )
            form = {"token": parameter(link, "token"), "next": target}
            signed_in = await client.post(f"{BASE}/login", data=form)
            assert (signed_in.status_code, signed_in.headers["location"]) == (303, f"{BASE}/"), target
    proven_by(
        "web/test_login.py", "test_no_redirect_after_login_leaves_the_gateway", "test_a_target_elsewhere_becomes_home"
    )


async def test_10_confused_deputy(gateway: InnerGateway, provider: FaultSwitch):
    """An agent's client gets at another user's token, or the caller's own credential is passed on upstream."""
    connected = await connect(gateway, provider)
    assert (await connected.fetch(BOB)).status_code == 401
    assert provider.asked("mcp") == []
    assert (await connected.fetch(ALICE)).status_code == 200
    inbound = (await connected.bearer(ALICE))["Authorization"].rpartition(".")[0]
    for asked in provider.asked():
        assert inbound not in str(asked.headers)
        assert ALICE not in str(asked.headers)
    grants = {grant.user for grant, _ in provider.accounts.ledger.living()}
    assert (len(connected.bearers()), grants) == (1, {ALICE})
    proven_by("flow/test_main_path.py", "test_with_a_url_only_a_user_authorizes_and_fetches_tools_that_nobody_else_has")


async def test_11_forged_headers(gateway: InnerGateway, provider: FaultSwitch):
    """Host, X-Forwarded-* and the user header are made up by whoever asks."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    forged |= {"Forwarded": "host=evil.example;for=127.0.0.1", "X-Forwarded-For": "10.1.2.3"}
    async with gateway.client(ALICE, **forged) as alice:
        location = (await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")).headers["location"]
        assert parameter(location, "redirect_uri") == f"{BASE}/oauth/callback"
        assert "evil" not in location
    async with peer(gateway, "203.0.113.9", **{USER_HEADER: ADMIN, "X-Forwarded-For": "127.0.0.1"}) as outsider:
        assert (await outsider.get("/gateways")).status_code == 401
    async with gateway.client(ALICE) as twice:
        request = twice.build_request("GET", f"{BASE}/gateways", headers=[(USER_HEADER, ALICE), (USER_HEADER, ADMIN)])
        assert (await twice.send(request)).status_code == 401
    proven_by("web/test_guard.py", "test_host_and_forwarding_headers_build_nothing")
    proven_by("web/test_csrf.py", "test_a_proxys_user_and_a_session_of_another_are_refused")


async def test_12_row_moved_to_another_user_or_gateway(gateway: InnerGateway, provider: FaultSwitch):
    """Whoever can write to the store copies a token onto another user or gateway, or reads the store's copy."""
    connected = await connect(gateway, provider)
    tokens = gateway.application.services.records.tokens
    stored = await tokens.get(connected.id, ALICE)
    await tokens.put(replace(stored, id="f" * 32, app_user_email=BOB), replacing=None)
    assert (await connected.status(BOB))["status"] == "needs_reauth"
    assert (await connected.fetch(BOB)).status_code == 401
    other = replace(connected, id=await gateway.add(provider.provider.mcp_url, name="Another"))
    await tokens.put(replace(stored, id="e" * 32, gateway_id=other.id), replacing=None)
    assert (await other.status(ALICE))["status"] == "needs_reauth"
    assert (await other.fetch(ALICE)).status_code == 401
    assert provider.asked("mcp") == []
    proven_by("threats/test_stolen_store.py", "test_a_copy_of_the_store_tells_no_secret")


async def test_13_flooding(environment, provider: FaultSwitch):
    """One user begins flow after flow, or sends huge requests."""
    environment.setenv("MAX_PENDING_PER_USER", "3")
    async with open_gateway() as gateway, gateway.client() as alice, gateway.client(BOB) as bob:
        gateway_id = await gateway.add(provider.provider.mcp_url)
        answers = [await alice.get(f"{BASE}/oauth/authorize/{gateway_id}") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [302, 302, 302, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await bob.get(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 302
        gateway.clock.advance(seconds=301)
        assert (await alice.get(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 302
    proven_by("core/test_admission.py", "test_all_users_together_are_limited")
    proven_by("faults/test_garbage.py", "test_what_is_too_large_is_told_so")
    proven_by("web/test_guard.py", "test_a_deeply_nested_body_is_a_clear_refusal")


async def test_14_cross_site_request_forgery_and_framing(gateway: InnerGateway, provider: FaultSwitch):
    """Another site's page presses our buttons in the user's browser, or shows them in a frame."""
    connected = await connect(gateway, provider)
    calls = [
        ("POST", f"/oauth/fetch-tools/{connected.id}"),
        ("DELETE", f"/oauth/tokens/{connected.id}"),
        ("POST", f"/oauth/tokens/{connected.id}/disconnect"),
        ("POST", "/gateways"),
        ("PUT", f"/gateways/{connected.id}"),
        ("DELETE", f"/gateways/{connected.id}"),
        ("DELETE", "/oauth/registered-clients/x"),
        ("POST", "/logout"),
    ]
    origins = [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ]
    async with gateway.client(ADMIN) as client:
        for origin in [*origins, {"Sec-Fetch-Site": "same-origin", "Origin": BASE}]:  # the last: without our form token
            for method, path in calls:
                answer = await client.request(method, BASE + path, headers=origin, json={"url": "https://evil.example"})
                assert (answer.status_code, answer.json()["cause"]) == (403, "csrf-refused"), (method, path, origin)
        for path in ("/", "/admin/gateways", "/login", "/logout", "/oauth/authorize/x", "/docs"):
            page = await client.get(BASE + path, headers={"Accept": "text/html"})
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"], path
    assert (await connected.status())["status"] == "valid"
    proven_by("web/test_csrf.py", "test_a_form_token_is_good_for_its_own_session_only")


@pytest.mark.backends("sqlite", "redis")
async def test_15_burnt_refresh_token(environment, backend, provider: FaultSwitch):
    """Two workers redeem one refresh token, and the server takes the second for a thief's."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    async with open_gateway() as one, open_gateway() as two:
        first = await connect(one, provider)
        second = replace(first, gateway=two)
        one.clock.advance(seconds=3700)
        two.clock.advance(seconds=3700)
        answers = await asyncio.gather(*(worker.fetch() for worker in [first, second] * 4))
        assert [answer.status_code for answer in answers] == [200] * 8
    assert len(first.refreshes()) == 1
    proven_by(
        "faults/test_refresh.py",
        "test_of_32_callers_at_once_one_refreshes",
        "test_after_a_lost_answer_the_old_refresh_token_is_tried_once_more",
    )


async def test_16_enumeration(gateway: InnerGateway):
    """An outsider, or a user, finds out which gateways, users and clients there are."""
    hidden, nowhere = await gateway.add("https://mcp.example.com/mcp", allowed_users=[ALICE]), "0" * 32
    paths = (
        "/oauth/authorize/{}",
        "/oauth/status/{}",
        "/gateways/{}",
        "/gateways/{}/tools",
        "/oauth/registered-clients/{}",
    )

    async def told(client: httpx.AsyncClient, path: str, gateway_id: str) -> tuple[int, str]:
        answer = await client.get(BASE + path.format(gateway_id))
        problem = answer.json() | {"flow_id": "", "request_id": ""}
        return answer.status_code, str(problem).replace(gateway_id, "ID")

    async with gateway.client(None) as outsider, gateway.client(BOB) as bob:
        for path in paths:
            assert await told(outsider, path, hidden) == await told(outsider, path, nowhere), path
            assert (await told(outsider, path, hidden))[0] == 401
            assert await told(bob, path, hidden) == await told(bob, path, nowhere), path
            assert (await told(bob, path, hidden))[0] == (403 if "clients" in path else 404)
        assert (await bob.get(f"{BASE}/gateways")).json()["total"] == 0
        assert (await bob.get(f"{BASE}/oauth/status?gateway_ids={hidden}")).json() == []
    proven_by("gateways/test_book.py", "test_not_allowed_reads_like_not_there")
    proven_by("aggregator/test_sets.py", "test_what_somebody_may_not_use_is_as_unknown_as_what_is_not_there")
    proven_by("registry/test_registry.py", "test_nobody_gets_anything_and_may_ask")


TWISTED = [
    {"expires_in": 10**30},
    {"expires_in": "soon"},
    {"expires_in": -5},
    {"scope": ["x"]},
    {"id_token": "a.b.c"},
    {"refresh_token": 7},
    {"access_token": "x" * 900_000},
    {"access_token": "a\nb"},
    {"token_type": "mac"},
]


async def test_17_hostile_authorization_server(gateway: InnerGateway, provider: FaultSwitch, log):
    """The server answers endlessly, slowly, in wrong types, or with values that break whoever believes them."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        for fields in TWISTED:
            url = await gateway.returned(browser, gateway_id)
            provider.arm("token", faults.changed(**fields), times=1)
            page = await browser.open(url)
            assert page.status in {200, 502}, (fields, page.text)
            status = await Connected(gateway, provider, gateway_id).status()
            assert status["status"] in {"missing", "valid", "near_expiry", "expired"}, fields
    assert "latchpin.web ERROR" not in log()
    assert "Traceback" not in log()
    proven_by(CALLBACKS, "test_a_misbehaving_token_endpoint_is_named_and_asked_once")
    proven_by(CALLBACKS, "test_nothing_secret_is_logged_by_a_whole_flow_at_debug_level")


async def test_18_code_and_state_leak_by_a_link(gateway: InnerGateway, provider: FaultSwitch):
    """A page's link, picture or script tells another server the callback's address."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        pages = [await browser.open(url), await browser.open(url)]  # success, then the page of a failure
    assert (pages[0].title, pages[1].status) == (TITLE, 400)
    assert "code=" not in pages[0].url
    for page in pages:
        assert page.headers["referrer-policy"] == "no-referrer"
        assert 'src="http' not in page.text
        assert "code=" not in page.text
        assert parameter(url, "state") not in page.text
    proven_by("web/test_pages.py", "test_no_page_runs_or_loads_anything_foreign")


def test_19_login_link_for_a_victim():
    """A victim follows the attacker's login link and connects an account to the attacker's user."""
    proven_by(
        "web/test_login.py",
        "test_a_link_shows_whom_it_signs_in_and_a_button_does_it",
        "test_who_follows_anothers_link_is_told_about_both_users",
        "test_another_sites_form_signs_nobody_in_and_uses_nothing_up",
        "test_the_way_to_a_provider_goes_over_a_page_that_names_the_user",
    )
    proven_by("web/test_pages.py", "test_the_success_page_has_the_guides_title_and_names_who_and_what")


async def test_20_entry_moved_to_another_host(gateway: InnerGateway, provider: FaultSwitch):
    """``PUT /gateways`` points the entry at a new host, which is then sent stored tokens and secrets."""
    connected = await connect(gateway, provider)
    token = next(iter(provider.accounts.ledger._access))
    headers = await connected.bearer(ADMIN)
    with start_fault_switch() as evil:
        async with gateway.client(None, **headers) as admin:
            moved = await admin.put(f"{BASE}/gateways/{connected.id}", json={"url": evil.provider.mcp_url})
        assert (moved.status_code, moved.json()["pinned_issuer"]) == (200, None)
        assert (await connected.status())["status"] == "missing"
        assert (await connected.fetch()).status_code == 401
        assert [asked for asked in evil.asked() if token in str(asked.headers) or token in str(asked.body)] == []
    proven_by(
        "gateways/test_book.py",
        "test_leading_elsewhere_drops_secret_and_tokens",
        "test_a_token_written_during_the_change_is_dropped_too",
    )
    proven_by(
        "api_keys/test_keys.py",
        "test_a_key_never_reaches_the_server_that_a_gateway_was_moved_to",
        "test_no_redirect_takes_a_key_along",
    )


async def test_21_default_secret_reached_from_outside(environment):
    """DNS rebinding, or a proxy on the same machine, in front of a gateway whose secret everybody knows."""
    environment.setenv("AUTH_ENCRYPTION_SECRET", "")
    async with open_gateway() as gateway, gateway.client(ADMIN) as here:
        assert (await here.get(f"{BASE}/gateways")).status_code == 200
        for headers in ({"Host": "rebound.example:4444"}, {"X-Forwarded-For": "10.0.0.1"}, {"Via": "1.1 proxy"}):
            refused = await here.get(f"{BASE}/gateways", headers=headers)
            assert (refused.status_code, refused.json()["cause"]) == (503, "weak-secret"), headers
        async with peer(gateway, "192.0.2.1", **{USER_HEADER: ADMIN}) as outside:
            assert (await outside.get("/health")).status_code == 503
    proven_by("identity/test_keys_and_tickets.py", "test_the_key_does_not_follow_from_the_secret")
    proven_by("identity/test_bearer.py", "test_the_root_secret_signs_no_bearer_token")
    proven_by("web/test_guard.py", "test_a_default_secret_serves_nobody_else")


async def test_22_error_answers_as_an_oracle(gateway: InnerGateway, provider: FaultSwitch):
    """Whoever holds a state, but not its browser, learns from the answers whether it is pending, used or late."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(None) as thief:
        url = await gateway.returned(browser, gateway_id)

        async def told() -> tuple[int, dict[str, str]]:
            answer = await thief.get(url)
            return answer.status_code, answer.json() | {"flow_id": "", "request_id": ""}

        pending = await told()
        assert (await browser.open(url)).title == TITLE
        used = await told()
        gateway.clock.advance(hours=1)
        late = await told()
        await gateway.application.services.states.purge(everything=True)
        gone = await told()
    assert pending == used == late == gone
    assert (pending[0], pending[1]["cause"]) == (403, "browser-changed")
    assert ALICE not in str(pending)
    assert gateway_id not in str(pending)


async def test_23_tools_of_another_user(gateway: InnerGateway, provider: FaultSwitch):
    """One user is shown the tools that the server offers another."""
    connected = await connect(gateway, provider)
    assert (await connected.fetch()).json()["created"] == 3
    assert (await connected.call("GET", "/gateways/{id}/tools", BOB)).json() == {"tools": [], "total": 0}
    async with gateway.browser(BOB) as browser:
        page = await browser.open(f"{BASE}/admin/gateways")
    assert not [name for name in provider.provider.tools if name in page.text]
    proven_by("web/test_pages.py", "test_another_users_token_and_tools_are_not_mine")


def test_25_names_of_another_person():
    """A session, a task or a state of one person is said by another."""
    proven_by("proxy/test_ownership.py", "test_a_session_is_its_owners_at_its_gateway")
    proven_by(
        "aggregator/test_attacks.py",
        "test_a_session_is_its_persons",
        "test_a_session_of_a_gateway_is_none_here",
        "test_a_question_is_answered_by_who_was_asked",
    )
    proven_by("aggregator/test_sets.py", "test_a_session_of_one_set_is_none_elsewhere")


def test_28_a_server_speaks_in_the_gateways_name():
    """A hostile server's tools, answers and questions look like the gateway's own."""
    proven_by(
        "aggregator/test_attacks.py",
        "test_a_hostile_server_speaks_in_nobody_elses_name",
        "test_a_slug_is_never_the_gateways_own",
        "test_why_a_server_is_missing_is_told_in_no_words_of_its_own",
    )
    proven_by("aggregator/test_in_the_middle.py", "test_a_server_with_sessions_asks_the_person")


def test_30_a_persons_list_for_everybody():
    """A list of one person's is kept by a cache for all."""
    proven_by("proxy/test_messages.py", "test_what_a_persons_token_brought_is_for_no_shared_cache")
    proven_by("aggregator/test_lists.py", "test_a_list_is_for_no_shared_cache")


def test_35_two_readings_of_one_call():
    """What decides about a call and what serves it read different things in it."""
    proven_by("aggregator/test_attacks.py", "test_what_can_be_read_in_two_ways_reaches_no_server")
    proven_by(
        "aggregator/test_messages.py",
        "test_what_can_be_read_in_two_ways_or_in_none_is_refused",
        "test_a_name_in_header_and_body_that_differ_is_refused",
        "test_what_is_served_here_the_sdk_serves_alike",
        "test_only_the_name_changes_on_the_way",
    )
    proven_by(
        "policy/test_held_back.py",
        "test_no_way_of_writing_a_call_reaches_the_server",
        "test_no_way_of_writing_a_list_shows_it",
        "test_a_get_has_no_body",
    )
    proven_by("policy/test_gate.py", "test_a_denied_name_is_held_back_however_a_careless_server_reads_it")


def test_36_a_tool_that_changes_after_it_was_approved():
    """A server describes a tool anew, so that models do something else with it."""
    proven_by(
        "policy/test_pinning.py",
        "test_a_changed_tool_is_held_back_until_it_is_approved",
        "test_only_what_was_seen_is_approved",
        "test_what_is_first_at_one_worker_is_first_at_all",
    )
