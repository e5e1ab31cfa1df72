"""Who is connected to what: everybody sees their own, administrators all; all of somebody who leaves ends at once."""

import asyncio
import contextlib

import pytest
from latchpin.errors import Forbidden
from latchpin.model import Caller
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Pseudonyms

from tests.providers import faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE

BOB = "bob@example.com"


@pytest.fixture
async def both(connected):
    """Alice and Bob are connected to the one gateway, and Alice has fetched its tools."""
    await connected.authorize(BOB)
    assert (await connected.fetch()).status_code == 200
    return connected


async def listed(connected, email, query=""):
    answer = await connected.call("GET", f"/oauth/tokens{query}", email)
    return answer.status_code, [each["app_user_email"] for each in answer.json().get("connections", [])]


async def test_everybody_sees_their_own_and_administrators_all(both):
    assert await listed(both, ALICE) == (200, [ALICE])
    assert await listed(both, ALICE, f"?user={ALICE}") == (200, [ALICE])
    assert await listed(both, ADMIN) == (200, [ALICE, BOB])
    assert await listed(both, ADMIN, f"?user={BOB}") == (200, [BOB])
    assert await listed(both, ADMIN, f"?gateway_id={'0' * 32}") == (200, [])
    assert await listed(both, ALICE, f"?user={BOB}") == (403, [])
    assert (await listed(both, ADMIN, "?user=nobody"))[0] == 400


async def test_a_connection_says_how_it_is_and_nothing_secret(both, gateway, provider):
    answer = await both.call("GET", "/oauth/tokens", ALICE)
    [told] = answer.json()["connections"]
    assert (told["status"], told["authorized"], told["gateway_id"]) == ("valid", True, both.id)
    assert told["issuer"] == provider.provider.issuer
    assert len(both.bearers()) == 1
    assert both.bearers()[0].removeprefix("Bearer ") not in answer.text
    gateway.clock.advance(days=400)
    [told] = (await both.call("GET", "/oauth/tokens", ALICE)).json()["connections"]
    assert (told["status"], told["authorized"]) == ("expired", True)  # there is a refresh token


async def for_bob_only(both, gateway):
    async with gateway.client(None, **await both.bearer(ADMIN)) as admin:
        changed = await admin.put(f"{BASE}/gateways/{both.id}", json={"allowed_users": [BOB]})
        assert changed.status_code == 200


async def test_who_may_not_use_a_gateway_any_more_still_ends_what_is_theirs(both, gateway, provider):
    await for_bob_only(both, gateway)
    assert (await both.fetch()).status_code == 404
    assert await listed(both, ALICE) == (200, [ALICE])
    assert (await both.call("DELETE", f"/oauth/tokens/{both.id}?user={BOB}", ALICE)).status_code == 403
    ended = await both.call("DELETE", f"/oauth/tokens/{both.id}", ALICE)
    assert (ended.status_code, len(provider.asked("revoke"))) == (200, 1)
    assert await listed(both, ADMIN) == (200, [BOB])
    again = await both.call("DELETE", f"/oauth/tokens/{both.id}", ALICE)
    nowhere = await both.call("DELETE", f"/oauth/tokens/{'0' * 32}", ALICE)
    assert (again.status_code, nowhere.status_code) == (404, 404)
    assert again.json()["detail"].replace(both.id, "0" * 32) == nowhere.json()["detail"]


async def test_who_leaves_ends_all_that_is_theirs_wherever_it_is(both, gateway, provider):
    await for_bob_only(both, gateway)
    answer = await both.call("DELETE", f"/oauth/tokens?user={ALICE}", ALICE)
    assert [each["gateway_id"] for each in answer.json()["connections"]] == [both.id]
    assert len(provider.asked("revoke")) == 1
    assert await listed(both, ADMIN) == (200, [BOB])


async def test_everything_of_somebody_who_leaves_ends_at_once(both, gateway, provider):
    assert (await both.call("DELETE", f"/oauth/tokens?user={ALICE}", BOB)).status_code == 403
    answer = await both.call("DELETE", f"/oauth/tokens?user={ALICE}", ADMIN)
    assert answer.status_code == 200
    [ended] = answer.json()["connections"]
    assert ended["gateway_id"] == both.id
    assert "revoked the token" in ended["authorization_server"]
    assert len(provider.asked("revoke")) == 1
    assert await listed(both, ADMIN) == (200, [BOB])
    assert await gateway.application.services.tools.list(both.id, ALICE) == []
    again = await both.call("DELETE", f"/oauth/tokens?user={ALICE}", ADMIN)
    assert (again.status_code, again.json()["connections"]) == (200, [])


async def test_tools_go_where_there_is_no_token_to_end(connected, gateway):
    tools = gateway.application.services.tools
    await tools.replace(connected.id, "carol@example.com", {"add": {"name": "add"}})
    await connected.call("DELETE", "/oauth/tokens?user=carol@example.com", ADMIN)
    assert await tools.list(connected.id, "carol@example.com") == []


async def test_what_was_begun_goes_on_when_nobody_listens_any_more(connected, gateway, provider):
    other = await gateway.add(provider.provider.mcp_url + "?other")
    records = gateway.application.services.records.tokens
    [token] = await records.list()
    moved = {"gateway_id": other, "id": "f" * 32}
    await records.put(type(token)(**{name: getattr(token, name) for name in token.__slots__} | moved), replacing=None)
    provider.arm("revoke", faults.hang())
    gateway.allow(seconds=2)
    service = gateway.application.connections
    async with contextlib.aclosing(service.disconnect_everything(ALICE, Caller(ADMIN, is_admin=True))) as told:
        await anext(told)
    await service.close()
    assert await records.list() == []
    with pytest.raises(Forbidden):
        await anext(service.disconnect_everything(ALICE, Caller(BOB)))


async def test_two_who_end_the_same_are_both_told(both, gateway, provider):
    service, admin = gateway.application.connections, Caller(ADMIN, is_admin=True)

    async def end():
        return [each.gateway.id async for each in service.disconnect_everything(ALICE, admin)]

    assert await asyncio.gather(end(), end()) == [[both.id], [both.id]]
    assert len(provider.asked("revoke")) == 1


async def test_of_two_who_end_the_same_both_are_recorded(both, gateway, provider, monkeypatch):
    service, services = gateway.application.connections, gateway.application.services
    tokens, looked = services.records.tokens, asyncio.Barrier(2)
    listed = tokens.list

    async def list_with_the_other(**query):
        found = await listed(**query)
        await looked.wait()
        return found

    monkeypatch.setattr(tokens, "list", list_with_the_other)

    async def end(email):
        return [each.gateway.id async for each in service.disconnect_everything(ALICE, Caller(email, is_admin=True))]

    assert await asyncio.gather(end(ADMIN), end(BOB)) == [[both.id], [both.id]]
    assert len(provider.asked("revoke")) == 1
    names = Pseudonyms(services.kept, services.cipher)
    entries = [
        each
        for each in await AuditLog.of(services.context).records.list(limit=100)
        if each.event == "token.disconnected"
    ]
    assert sorted([await names.name_of(each.actor) for each in entries]) == [ADMIN, BOB]


async def test_who_has_no_token_yet_is_told_the_client_that_is_registered(connected):
    bobs = (await connected.call("GET", f"/oauth/status/{connected.id}", BOB)).json()
    alices = (await connected.call("GET", f"/oauth/status/{connected.id}", ALICE)).json()
    assert (bobs["user_token_status"]["status"], alices["user_token_status"]["status"]) == ("missing", "valid")
    assert bobs["client_id"] == alices["client_id"] is not None


async def test_the_gateways_page_shows_what_is_left_where_one_may_not_go_any_more(both, gateway, provider):
    page = f"{BASE}/admin/gateways"
    async with gateway.browser(ALICE) as browser:
        assert "Not allowed any more" not in (await browser.open(page)).text
    await for_bob_only(both, gateway)
    path = f"/oauth/tokens/{both.id}/disconnect"
    async with gateway.browser(ALICE) as browser:
        shown = await browser.open(page)
        assert "Not allowed any more" in shown.text
        assert f"/oauth/authorize/{both.id}" not in shown.text
        after = await browser.submit(shown.form(action=path))
        assert "Not allowed any more" not in after.text
    assert len(provider.asked("revoke")) == 1
    async with gateway.browser("carol@example.com") as browser:
        assert both.id not in (await browser.open(page)).text
