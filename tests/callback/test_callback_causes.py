"""Every way a callback can fail: the right status, the right words, the right log line, and nothing lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from latchpin.clients.secrets import seal_configured_secret
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, Fact

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import BASE, InnerGateway

Query = list[tuple[str, str]]
OPAQUE = "Invalid or expired state parameter - possible replay attack"
SIGNATURE = "Invalid state signature - possible CSRF attack"

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")


def rebuilt(url: str, query: Query) -> str:
    return urlsplit(url)._replace(query=urlencode(query)).geturl()


def with_state(change: Callable[[str], str]) -> Callable[[Query], Query]:
    return lambda query: [(name, change(value) if name == "state" else value) for name, value in query]


def as_bob(state: str) -> str:
    """The payload altered, the signature kept."""
    head, tail = state.split(".")
    payload = json.loads(base64.urlsafe_b64decode(head + "=="))
    altered = json.dumps(payload | {"app_user_email": "bob@example.com"}).encode()
    return base64.urlsafe_b64encode(altered).decode().rstrip("=") + "." + tail


@dataclass(frozen=True)
class Forgery:
    name: str
    change: Callable[[Query], Query]
    cause: str
    detail: str


FORGERIES = [
    Forgery("no state", lambda q: [p for p in q if p[0] != "state"], "callback-malformed", "'state' is missing"),
    Forgery("no code", lambda q: [p for p in q if p[0] != "code"], "callback-malformed", "'code' is missing"),
    Forgery("code twice", lambda q: [*q, ("code", "x")], "callback-malformed", "given twice"),
    Forgery("state twice", lambda q: [*q, ("state", "x")], "callback-malformed", "given twice"),
    Forgery("code and error", lambda q: [*q, ("error", "x")], "callback-malformed", "both"),
    Forgery("60 parameters", lambda q: [*q, *[(f"p{n}", "x") for n in range(60)]], "callback-malformed", "decoded"),
    Forgery("state of 3 kB", with_state(lambda s: s + "x" * 3000), "callback-malformed", "characters"),
    Forgery("state truncated", with_state(lambda s: s[:-1]), "state-signature", SIGNATURE),
    Forgery("state without signature", with_state(lambda s: s.split(".")[0]), "state-signature", SIGNATURE),
    Forgery("state of noise", with_state(lambda _: "AAAA.BBBB"), "state-signature", SIGNATURE),
    Forgery("state in Chinese", with_state(lambda _: "状态.签名"), "state-signature", SIGNATURE),
    Forgery("payload altered", with_state(as_bob), "state-signature", SIGNATURE),
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
async def test_a_forged_callback_is_named_and_uses_nothing_up(
    forgery, gateway: InnerGateway, provider: FaultSwitch, log
):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.client(None) as attacker:
        url = await gateway.returned(browser, gateway_id)
        query = parse_qsl(urlsplit(url).query)
        forged = await attacker.get(rebuilt(url, forgery.change(query)))
        assert forged.status_code == 400
        problem = forged.json()
        assert (problem["cause"], problem["status"]) == (forgery.cause, 400)
        assert forgery.detail in problem["detail"] or forgery.cause == "callback-malformed"
        assert problem["remedy"]
        assert len(problem["request_id"]) == 32
        page = await browser.open(url)  # the genuine callback still works
        assert page.title == "OAuth Authorization Successful"
    assert "Traceback" not in log()
    assert f"OAuth callback failed: {problem['detail'].partition(':')[0]}" in log()


async def test_a_callback_in_another_browser_says_only_that_and_uses_nothing_up(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser, gateway.browser(None) as other:
        url = await gateway.returned(browser, gateway_id)
        page = await other.open(url)
        assert page.status == 403
        assert "another browser" in page.text
        assert "alice" not in page.text
        assert "alice" not in str(other.cookies)
        assert (await browser.open(url)).title == "OAuth Authorization Successful"


async def test_another_signed_in_user_in_the_same_browser_is_refused(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        async with gateway.client("bob@example.com", Accept="application/json") as bob:
            bob.cookies = browser.cookies
            refused = await bob.get(url)
        assert (refused.status_code, refused.json()["cause"]) == (403, "user-changed")
        assert "alice" not in refused.text
        assert (await browser.open(url)).title == "OAuth Authorization Successful"


async def test_a_late_callback_is_expired_and_says_how_late(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        gateway.clock.advance(seconds=320)
        page = await browser.open(url)
    assert page.status == 400
    assert OPAQUE in page.text
    assert "after the limit of 300 s" in page.text
    assert f"WARNING - State has expired for gateway {gateway_id}" in log()
    assert f"ERROR - OAuth callback failed: {OPAQUE}" in log()
    assert "not found" not in log()


async def test_a_reloaded_callback_is_named_as_used_with_the_time(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        assert (await browser.open(url)).status == 200
        page = await browser.open(url)
    assert page.status == 400
    assert OPAQUE in page.text
    assert f"WARNING - State was already used for gateway {gateway_id} - possible replay attack" in log()
    assert "this state has already been used at 20" in log()
    assert len(provider.asked("token")) == 1


async def test_a_state_that_the_store_lost_is_named_as_not_found(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        await gateway.application.services.states.purge(everything=True)
        page = await browser.open(url)
    assert page.status == 400
    assert f"WARNING - State not found in memory for gateway {gateway_id}" in log()
    assert f"ERROR - OAuth callback failed: {OPAQUE}" in log()


async def test_the_path_of_another_gateway_is_a_mismatch(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        page = await browser.open(url.replace("/oauth/callback", f"/oauth/callback/{'0' * 32}"))
    assert page.status == 400
    assert "State parameter gateway mismatch" in page.text
    assert "WARNING - State parameter gateway mismatch" in log()


async def test_a_per_gateway_redirect_uri_is_used_and_accepted(gateway, provider):
    config = {"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}
    gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config=config)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        assert urlsplit(url).path == f"/oauth/callback/{gateway_id}"
        assert (await browser.open(url)).title == "OAuth Authorization Successful"
    assert provider.asked("token")[0].form["redirect_uri"] == f"{BASE}/oauth/callback/{gateway_id}"


@pytest.mark.parametrize(
    ("error", "status"), [("access_denied", 403), ("server_error", 502), ("invalid_scope", 502), ("made_up", 502)]
)
async def test_a_providers_error_is_explained_and_ends_the_flow(error, status, gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        query = [(n, v) for n, v in parse_qsl(urlsplit(url).query) if n != "code"]
        refused = rebuilt(url, [*query, ("error", error), ("error_description", "because <b>so</b>")])
        page = await browser.open(refused)
        assert page.status == status
        assert error in page.text
        assert "<b>so</b>" not in page.text
        page = await browser.open(url)  # an error callback with a valid state uses it up
        assert OPAQUE in page.text
    assert provider.asked("token") == []


async def test_iss_of_another_server_is_refused_before_any_token_request(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("consent", faults.callback_with(iss="https://evil.example"))
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.status == 400
    assert "another authorization server" in page.title
    assert "evil" not in page.text
    assert provider.asked("token") == []


async def test_iss_that_was_promised_and_is_missing_is_refused(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("consent", faults.callback_without("iss"))
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert (page.status, provider.asked("token")) == (400, [])


TOKEN_FAULTS = {
    "html": (faults.html(), 502),
    "500": (faults.status(500, "oops"), 502),
    "wrong types": (faults.answer({"access_token": ["x"], "token_type": "Bearer"}), 502),
    "a list": (faults.answer([1, 2]), 502),
    "no token": (faults.without("access_token"), 502),
    "not Bearer": (faults.changed(token_type="mac"), 502),
    "invalid_grant": (faults.oauth_error("invalid_grant", "code expired"), 502),
    "invalid_client": (faults.oauth_error("invalid_client", code=401), 401),  # start again, with another client
    "redirect": (faults.redirect("http://127.0.0.1:1/"), 502),
    "cut": (faults.cut(), 502),
    "bomb": (faults.bomb(16), 502),
    "endless": (faults.endless(), 502),
    "hang": (faults.hang(), 504),
    "drip": (faults.drip(), 504),
}


@pytest.mark.parametrize("name", TOKEN_FAULTS)
async def test_a_misbehaving_token_endpoint_is_named_and_asked_once(name, gateway, provider, log):
    fault, status = TOKEN_FAULTS[name]
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        provider.arm("token", fault)
        if status == 504:
            gateway.allow(seconds=1)
        page = await browser.open(url)
    assert page.status == status
    assert page.title != "OAuth Authorization Successful"
    assert "script" not in page.text.partition("<main")[2]
    assert len(provider.asked("token")) == 1  # an authorization code is never sent twice
    code = parse_qs(urlsplit(url).query)["code"][0]
    verifier = provider.asked("token")[0].form["code_verifier"]
    for secret in (code, verifier):
        assert secret not in log()
        assert secret not in page.text
    assert "latchpin" not in log().rpartition("Traceback")[0].rpartition("\n2")[2]  # the provider's own may be there
    assert "ERROR - OAuth callback failed: " in log()


async def test_form_encoded_token_answers_are_read(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    provider.arm("token", faults.form_encoded())
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.title == "OAuth Authorization Successful"


async def test_nothing_secret_is_logged_by_a_whole_flow_at_debug_level(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        await browser.open(url)
        page = await browser.submit(browser.page.form(action="fetch-tools"))
        assert page.status == 200
    query, asked = parse_qs(urlsplit(url).query), provider.asked("token")[0]
    bearer = provider.asked("mcp")[-1].headers["authorization"].removeprefix("Bearer ")
    secrets = [query["code"][0], query["state"][0], asked.form["code_verifier"], bearer, *browser.cookies.values()]
    secrets += [asked.headers["authorization"].removeprefix("Basic ")] if "authorization" in asked.headers else []
    for secret in secrets:
        assert len(secret) > 16
        assert secret not in log()


async def test_program_callers_get_json_and_people_a_page_without_code_and_state(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        async with gateway.client(Accept="application/json") as program:
            program.cookies = browser.cookies
            answer = await program.get(url)
        assert answer.status_code == 200
        assert answer.json()["message"] == "OAuth Authorization Successful"
        page = await browser.open(await gateway.returned(browser, gateway_id))
        assert "code=" not in page.url
        assert "state=" not in page.url


async def test_listeners_hear_of_every_step(gateway, provider):
    heard: list[Fact] = []
    listener = type("Listener", (), {"on_event": lambda _, fact: heard.append(fact)})()
    gateway.application.services.activity._listeners["mine"] = listener
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        await browser.open(url)
        await browser.open(url)
    steps = [fact for fact in heard if fact.name == "flow.step"]
    assert [fact.name for fact in heard if fact not in steps] == ["gateway.created", "authorization.completed"]
    heard = heard[1:]
    names = "begun stored redirected returned verified consumed exchanged sealed returned verified failed"
    assert [fact.details["step"] for fact in steps] == names.split()
    assert (steps[-1].details["outcome"], steps[-1].details["cause"]) == ("failed", "state-used")
    assert len({(fact.details["flow_id"], fact.gateway_id) for fact in heard}) == 1
    assert all(fact.details["seconds"] >= 0 for fact in steps)
    assert all("alice" in fact.subject and "alice" not in str(fact.details) for fact in heard)


async def test_a_gateway_changed_meanwhile_gets_no_code_and_keeps_no_token(gateway, provider):
    """The code and the (new) secret go only where the authorization began."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        config = {"token_url": "http://127.0.0.1:1/token"}
        body = parse_gateway_body({"oauth_config": config})
        await gateway.application.gateways.change(gateway_id, body, Caller("admin@example.com", is_admin=True))
        page = await browser.open(url)
    assert page.status == 401
    assert "changed while you authorized" in page.text
    assert provider.asked("token") == []
    records = gateway.application.services.records
    assert await records.tokens.list() == []
    assert await records.clients.list() == []  # the registered secret must not reach the new token endpoint either


async def test_a_gateway_removed_meanwhile_gets_no_code_and_keeps_nothing(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        await gateway.application.removal.remove(gateway_id, Caller("admin@example.com", is_admin=True))
        page = await browser.open(url)
    assert (page.status, provider.asked("token")) == (404, [])
    assert f"there is no gateway '{gateway_id}'; what to do" in log()
    records = gateway.application.services.records
    assert (await records.tokens.list(), await records.clients.list()) == ([], [])


async def test_a_gateway_removed_while_the_code_is_exchanged_keeps_nothing(gateway, provider, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    records = gateway.application.services.records
    put = records.tokens.put

    async def too_late(token, *, replacing):
        await records.gateways.delete(gateway_id)
        await put(token, replacing=replacing)

    records.tokens.put = too_late
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert (page.status, len(provider.asked("token"))) == (404, 1)
    assert "the gateway was removed while you authorized" in log()
    assert await records.tokens.list() == []


async def test_a_secret_sealed_anew_while_the_code_is_exchanged_changes_nothing(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    records, cipher = gateway.application.services.records, gateway.application.services.cipher

    async def seal_anew():
        anew = seal_configured_secret("one", gateway_id=gateway_id, issuer=None, cipher=cipher)
        stands = await records.gateways.get(gateway_id)
        oauth = replace(stands.oauth, assertion=anew)
        await records.gateways.replace(replace(stands, oauth=oauth, revision=stands.revision + 1))

    await seal_anew()
    put = records.tokens.put

    async def meanwhile(token, *, replacing):
        await put(token, replacing=replacing)
        await seal_anew()

    records.tokens.put = meanwhile
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.title == "OAuth Authorization Successful"
    assert len(await records.tokens.list()) == 1


async def test_looking_with_head_completes_nothing(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        async with gateway.client() as looking:
            looking.cookies = browser.cookies
            assert (await looking.head(url)).status_code == 405
            assert (await looking.head(f"{BASE}/oauth/authorize/{gateway_id}")).status_code == 405
        assert provider.asked("token") == []
        assert (await browser.open(url)).title == "OAuth Authorization Successful"


async def test_identities_that_disagree_are_refused_at_the_callback_too(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        create = gateway.application.signed_tokens.create_bearer
        bearer = await create("bob@example.com", admin=False, lifetime=timedelta(hours=1))
        async with gateway.client(Accept="application/json", Authorization=f"Bearer {bearer}") as both:
            both.cookies = browser.cookies
            refused = await both.get(url)
        assert (refused.status_code, refused.json()["cause"]) == (401, "not-signed-in")
        assert provider.asked("token") == []
        assert (await browser.open(url)).title == "OAuth Authorization Successful"


async def test_only_administrators_disconnect_somebody_else(gateway, provider):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        await browser.open(await gateway.returned(browser, gateway_id))
    create = gateway.application.signed_tokens.create_bearer
    answers = []
    for email, admin in (("bob@example.com", False), ("boss@example.com", True), ("boss@example.com", True)):
        bearer = await create(email, admin=admin, lifetime=timedelta(hours=1))
        async with gateway.client(None, Authorization=f"Bearer {bearer}") as caller:
            answers.append(await caller.delete(f"{BASE}/oauth/tokens/{gateway_id}?user=alice@example.com"))
    assert [answer.status_code for answer in answers] == [403, 200, 404]
    assert "revoked" in answers[1].json()["authorization_server"]
    assert len(provider.asked("revoke")) == 1
