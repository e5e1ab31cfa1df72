"""Several accounts of one person at one server: told apart everywhere, and nobody gets at another's."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.errors import Unsealable
from latchpin.model import Caller
from latchpin.tokens.sealing import open_token
from latchpin_audit.log import AuditLog

from tests.accounts.conftest import ADMIN, ALICE, BOB, NEEDS, SUCCESS, Server
from tests.aggregator.conftest import last_message
from tests.providers import faults, sign_in
from tests.support.gateway_in_process import BASE, open_gateway

pytestmark = pytest.mark.needs(*NEEDS)
WORK = "?account=work"


@pytest.fixture
async def both(server: Server) -> Server:
    """Alice has two accounts there: her own, and under ``work`` the one that signs in as bob."""
    assert (await server.connect(ALICE, to=ALICE)).title == SUCCESS
    page = await server.connect(ALICE, to=BOB, query=WORK)
    assert page.title == SUCCESS
    assert f"/gateways/{server.id}/mcp?account=work" in page.text
    return server


async def test_a_program_names_the_account_in_its_url(both):
    assert ALICE in await both.who()
    assert BOB in await both.who(query=WORK)
    answer = await both.who(query="?account=home")
    assert "needs your authorization" in answer
    assert "account=home" in answer, "the link is for the account that is missing"


async def test_they_are_listed_chosen_and_ended_one_by_one(both, gateway):
    told = {each["account"]: each for each in await both.connections()}
    assert {label: each["default"] for label, each in told.items()} == {"": True, "work": False}
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=work")).status_code == 200
    assert BOB in await both.who(), "without a name, the default serves, at once"
    assert [each["default"] for each in await both.connections()] == [False, True]
    async with gateway.client(ALICE) as client:
        status = (await client.get(f"{BASE}/oauth/status/{both.id}")).json()
    assert (status["account"], status["connection"]) == ("work", "own")
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=home")).status_code == 404
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=work", BOB)).status_code == 404
    ended = await both.api("DELETE", "/oauth/tokens/{id}?account=work")
    assert ended.status_code == 200
    assert ALICE in await both.who(), "after the default has ended, the other one serves"
    assert [each["account"] for each in await both.connections()] == [""]


async def test_each_account_is_renewed_once_and_keeps_its_place(both, gateway, provider):
    provider.forget()
    gateway.clock.advance(hours=2)
    answers = await asyncio.gather(*(both.who(query=query) for query in ("", WORK) for _ in range(8)))
    assert sum(ALICE in each for each in answers) == 8
    assert sum(BOB in each for each in answers) == 8
    forms = [asked.form for asked in provider.asked("token")]
    assert [form["grant_type"] for form in forms] == ["refresh_token"] * 2, "one refresh for each account"


async def test_a_token_opens_only_under_its_label(both, gateway):
    services = gateway.application.services
    [work] = [each for each in await both.tokens() if each.label == "work"]
    for moved in (replace(work, label=""), replace(work, label="home"), replace(work, app_user_email=BOB)):
        with pytest.raises(Unsealable):
            open_token(services.cipher, moved)


NAMES = {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "input_required", "requestState": "s", "task": {}}}
"""An answer with a session and a state, both of which its server knows again."""


async def test_a_session_or_state_of_one_account_is_not_anothers(both, provider):
    body = json.dumps(NAMES)
    provider.arm("mcp", faults.status(200, body, content_type="application/json", mcp_session_id="s-1"))
    program, other = await both.program(era="sessions"), await both.program(query=WORK, era="sessions")
    async with program.http, other.http:
        asked = program.message("tools/call", name="who_am_i", arguments={})
        answer = await program.send(*asked)
        program.session = other.session = answer.headers["mcp-session-id"]
        state = answer.json()["result"]["requestState"]
        assert (await program.send(*program.message("ping"))).status_code == 200
        assert await refusals(other, state) == ["not-yours", "not-yours"]
        # Nor is it the new default's, where the program named none.
        assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=work")).status_code == 200
        assert await refusals(program, state) == ["not-yours", "not-yours"]


async def refusals(program, state):
    """What a program is told that brings a session, and then a state alone."""
    first = await program.send(*program.message("ping"))
    program.session = ""
    message, headers = program.message("tools/call", name="who_am_i", arguments={}, requestState=state)
    second = last_message(await program.send(message, headers))
    return [first.json()["cause"], second["error"]["data"]["cause"]]


async def test_a_state_ends_in_the_account_that_it_was_made_for(server, gateway):
    async with gateway.browser(ALICE) as browser:
        await browser.open(f"{BASE}/oauth/authorize/{server.id}{WORK}")
        back = str((await sign_in(browser, user=BOB, follow=False)).headers["location"])
        await browser.open(f"{back}&account=home")
        assert browser.page.title == SUCCESS
    assert [(each.app_user_email, each.label) for each in await server.tokens()] == [(ALICE, "work")]
    async with gateway.browser(ALICE) as browser:
        await browser.open(f"{BASE}/oauth/authorize/{server.id}{WORK}")
        back = str((await sign_in(browser, user=BOB, follow=False)).headers["location"])
        async with gateway.client(BOB, Cookie="") as thief:
            assert (await thief.get(back, headers={"accept": "application/json"})).status_code == 403
    assert len(await server.tokens()) == 1


@pytest.mark.parametrize("named", ["%20work", "work%20", "a" * 41, "a%0Ab", "work&account=home", "%C3%28", "%E2%80%AE"])
async def test_what_is_no_label_is_refused_and_never_taken_for_none(both, named):
    query = f"?account={named}"
    assert (await both.begin(ALICE, query)).status_code == 400
    program = await both.program(query=query)
    async with program.http:
        answer = await program.send(*program.message("tools/call", name="who_am_i", arguments={}))
    assert answer.status_code == 400


async def test_an_empty_name_is_the_account_without_a_label_everywhere(both):
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=work")).status_code == 200
    assert BOB in await both.who()
    assert ALICE in await both.who(query="?account="), "the default is another one"
    assert (await both.begin(ALICE, "?account=")).status_code == 302
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=")).status_code == 200
    assert ALICE in await both.who()
    assert (await both.api("PUT", "/oauth/tokens/{id}/default?account=work")).status_code == 200
    assert (await both.api("DELETE", "/oauth/tokens/{id}?account=")).status_code == 200
    assert [each["account"] for each in await both.connections()] == ["work"]


async def test_two_names_are_refused_wherever_one_is_read(both):
    for method, path in (("DELETE", ""), ("POST", "/disconnect"), ("PUT", "/default")):
        for query in ("account=&account=work", "account=work&account=work"):
            assert (await both.api(method, f"/oauth/tokens/{{id}}{path}?{query}")).status_code == 400, (method, query)
    assert (await both.api("PUT", "/gateways/{id}/key?account=a&account=b")).status_code == 400
    assert len(await both.connections()) == 2


async def test_a_label_may_be_any_printable_text_of_forty_characters(server):
    label, query = "Büro: 日本 50% & mehr?", "?account=B%C3%BCro%3A%20%E6%97%A5%E6%9C%AC%2050%25%20%26%20mehr%3F"
    assert (await server.connect(ALICE, to=BOB, query=query)).title == SUCCESS
    assert [each["account"] for each in await server.connections()] == [label]
    assert BOB in await server.who(query=query)
    assert BOB in await server.who(), "the only one serves where none is named"


async def test_nobody_has_more_than_ten(server, gateway):
    assert (await server.connect(ALICE, to=ALICE)).title == SUCCESS
    records = gateway.application.services.records.tokens
    [first] = await server.tokens()
    for number in range(9):
        await records.put(replace(first, id=f"{number:032x}", label=f"no {number}", revision=1), replacing=None)
    refused = await server.begin(ALICE, WORK)
    assert (refused.status_code, "limit" in refused.json()["detail"]) == (400, True)
    assert (await server.begin(ALICE, "?account=no%203")).status_code == 302, "one that is there may be renewed"
    assert (await server.begin(BOB, WORK)).status_code == 302


async def test_the_protected_resource_is_one_whatever_the_account(both, gateway):
    async with gateway.client(None) as client:
        plain = await client.post(f"{BASE}/gateways/{both.id}/mcp", json={})
        named = await client.post(f"{BASE}/gateways/{both.id}/mcp{WORK}", json={})
        assert plain.headers["www-authenticate"] == named.headers["www-authenticate"]
        metadata = f"{BASE}/.well-known/oauth-protected-resource/gateways/{both.id}/mcp"
        found = [(await client.get(f"{metadata}{query}")).json()["resource"] for query in ("", WORK)]
    assert found == [f"{BASE}/gateways/{both.id}/mcp"] * 2


async def test_another_person_gets_nothing_of_it(both):
    assert "needs your authorization" in await both.who(BOB, WORK)
    assert (await both.api("DELETE", "/oauth/tokens/{id}?account=work", BOB)).status_code == 404
    assert (await both.api("DELETE", f"/oauth/tokens/{{id}}?account=work&user={ALICE}", BOB)).status_code == 403
    assert await both.connections(BOB) == []


async def test_the_link_of_one_account_leads_to_no_other(both, gateway):
    answer = await both.who(query="?account=home")
    link = next(word for word in answer.split() if "/for/" in word).rstrip(".")
    async with gateway.client(ALICE, Accept="text/html") as client:
        led = await client.get(link)
        assert led.headers["location"] == f"{BASE}/oauth/authorize/{both.id}?account=home"
        for other in (link.replace("account=home", "account=work"), link.partition("?")[0]):
            assert (await client.get(other)).status_code == 403


async def test_who_has_to_begin_again_is_led_to_the_account_that_they_began_with(server, gateway):
    async with gateway.browser(ALICE) as browser:
        await server.go_there(browser, WORK)
        [client] = (await server.api("GET", "/oauth/registered-clients", ADMIN)).json()["clients"]
        assert (await server.api("DELETE", f"/oauth/registered-clients/{client['id']}", ADMIN)).status_code == 200
        page = await sign_in(browser, user=BOB)
    assert "were changed while you authorized" in page.text
    assert f"{BASE}/oauth/authorize/{server.id}?account=work" in page.text


async def test_leaving_ends_all_accounts(both, provider):
    provider.forget()
    ended = await both.api("DELETE", f"/oauth/tokens?user={ALICE}")
    assert ended.status_code == 200
    assert ended.json()["message"] == f"Disconnected {ALICE} from 1 gateways", "both accounts were at one"
    assert await both.tokens() == []
    assert len(provider.asked("revoke")) == 2


async def test_more_scopes_are_asked_for_the_account_that_missed_them(both, provider):
    challenge = 'Bearer error="insufficient_scope", scope="mcp:write"'
    provider.arm("mcp", faults.status(403, www_authenticate=challenge))
    assert "wants more rights" in await both.who(query=WORK)
    provider.heal()
    asked = {}
    for name, query in (("", ""), ("work", WORK)):
        led = await both.begin(ALICE, query)
        asked[name] = parse_qs(urlsplit(led.headers["location"]).query).get("scope", [""])[0].split()
    assert "mcp:write" in asked["work"]
    assert "mcp:write" not in asked[""]


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_two_workers_refresh_each_account_once_and_agree_on_the_default(pair, provider):
    one, two = pair
    here = Server(one, provider, await one.add(provider.provider.mcp_url, name="Weather"))
    there = Server(two, provider, here.id)
    await here.connect(ALICE, to=ALICE)
    await there.connect(ALICE, to=BOB, query=WORK)
    provider.forget()
    for gateway in pair:
        gateway.clock.advance(hours=2)
    asked = [worker.who(query=query) for worker in (here, there) for query in ("", WORK) for _ in range(4)]
    answers = await asyncio.gather(*asked)
    assert (sum(ALICE in each for each in answers), sum(BOB in each for each in answers)) == (8, 8)
    assert len(provider.asked("token")) == 2
    await two.application.connections.choose(here.id, "work", Caller(ALICE))
    for gateway in pair:
        gateway.clock.advance(seconds=2)
    assert BOB in await here.who()
    [chosen] = [each for each in await here.tokens() if each.chosen_at is not None]
    assert chosen.label == "work"


async def test_idle_accounts_are_dropped_one_by_one(environment, provider):
    environment.setenv("IDLE_CONNECTION_DAYS", "30")
    from latchpin_idle_connections.idleness import Idleness

    async with open_gateway() as gateway:
        server = Server(gateway, provider, await gateway.add(provider.provider.mcp_url))
        await server.connect(ALICE, to=ALICE)
        await server.connect(ALICE, to=BOB, query=WORK)
        gateway.clock.advance(days=20)
        assert BOB in await server.who(query=WORK)
        gateway.clock.advance(days=20)
        assert await Idleness(gateway.application, timedelta(days=30)).sweep() == 1
        assert [each.label for each in await server.tokens()] == ["work"]


@pytest.mark.needs("latchpin_admin_ui")
@pytest.mark.parametrize("named", [["no label\x00"], [" work"], ["a" * 41], ["work", "home"]])
@pytest.mark.parametrize(
    "action", ["my-connections/{}/disconnect", "my-connections/{}/default", "connections/disconnect"]
)
async def test_a_form_that_names_no_label_is_refused(both, gateway, action, named):
    """Present but invalid is never absent, and never just another account that is not there."""
    async with gateway.client(ADMIN, Accept="text/html", **{"Sec-Fetch-Site": "same-origin"}) as client:
        page = await client.get(f"{BASE}/admin/connections")
        proof = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        form = {"csrf_token": proof[1], "gateway": both.id, "owner": ALICE, "account": named}
        answer = await client.post(f"{BASE}/admin/{action.format(both.id)}", data=form)
    assert answer.status_code == 400, answer.text
    assert "must be 1 to 40" in answer.text or "is given 2 times" in answer.text
    assert len(await both.tokens()) == 2


async def test_what_is_told_names_the_account(both, gateway):
    """The audit log says which of several was authorized, and which has ended; never an address."""
    entries = AuditLog.of(gateway.application.services.context).records
    assert (await both.connect(ALICE, to=BOB, query="?account=bob%40example.com")).title == SUCCESS
    assert (await both.api("DELETE", "/oauth/tokens/{id}?account=work")).status_code == 200
    told = [(each.event, dict(each.facts).get("account")) for each in await entries.list(limit=100)]
    acts = [each for each in told if each[0] in {"authorization.completed", "token.disconnected"}]
    assert acts == [
        ("authorization.completed", None),
        ("authorization.completed", "work"),
        ("authorization.completed", "(an address)"),
        ("token.disconnected", "work"),
    ]
    assert (await both.api("DELETE", f"/oauth/tokens?user={ALICE}")).status_code == 200
    ended = [dict(each.facts) for each in await entries.list(limit=100) if each.event == "token.disconnected"]
    assert sorted(each.get("account", "") for each in ended) == ["", "(an address)", "work"]
