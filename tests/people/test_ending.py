"""An administrator ends a person: whatever proves them proves nothing any more, until they are let in again."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from latchpin.authorization.start import StartAuthorization
from latchpin.contracts import KeyValueRecords
from latchpin.errors import BackendUnavailable, Forbidden, InvalidRequest, NotFound
from latchpin.gateways.api_keys import ApiKeys
from latchpin.identity.assertion_store import PREFIX as ASSERTIONS
from latchpin.identity.login import get_link
from latchpin.identity.sessions import session_cookie_name, start_session
from latchpin.model import Caller, IdentityAssertion, IdentityProvider
from latchpin.sdk.gateway import DIRECTORY, parse_gateway_body, sign_out
from latchpin.sdk.identity import create_link, is_out
from latchpin_audit.log import AuditLog
from latchpin_offboarding.people import Departed, People
from latchpin_offboarding.records import OWED

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

ROOT = Caller(ADMIN, is_admin=True, via="bearer")


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    return await connect(gateway, provider)


async def end(gateway: InnerGateway, email: str = ALICE, *, by: str = ADMIN) -> httpx.Response:
    return await asked(gateway, "PUT", "/people/ended", user=email, by=by)


async def asked(gateway: InnerGateway, method: str, path: str, *, by: str = ADMIN, **query: str) -> httpx.Response:
    headers = await gateway.bearer(by, admin=by == ADMIN)
    async with gateway.client(None, **headers) as client:
        return await client.request(method, BASE + path, params=query)


async def holds(gateway: InnerGateway, user: str | None = None, **headers: str) -> bool:
    """Whether these header fields still say who somebody is."""
    async with gateway.client(user, **{"Accept": "application/json"} | headers) as client:
        answer = await client.get(f"{BASE}/oauth/tokens")
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 200


async def session(gateway: InnerGateway, email: str = ALICE) -> dict[str, str]:
    ticket = await start_session(gateway.application.signed_tokens, email, admin=False, lifetime=timedelta(hours=1))
    return {"Cookie": f"{session_cookie_name(BASE)}={ticket}"}


async def test_whatever_proved_them_proves_nothing_any_more(gateway: InnerGateway):
    ways: list[dict[str, Any]] = [await session(gateway), await gateway.bearer(), {"user": ALICE}]
    assert [await holds(gateway, **way) for way in ways] == [True] * 3
    answer = await end(gateway)
    assert (answer.status_code, answer.json()["person"]["out"]) == (200, True)
    ways += [await session(gateway), await gateway.bearer()]  # and neither does what is made afterwards
    assert [await holds(gateway, **way) for way in ways] == [False] * 5
    assert await holds(gateway, user="bob@example.com")


async def test_who_is_let_in_again_begins_anew(gateway: InnerGateway):
    old = await session(gateway), await gateway.bearer()
    await end(gateway)
    gateway.clock.advance(minutes=5)
    assert (await asked(gateway, "DELETE", "/people/ended", user=ALICE)).status_code == 200
    assert await holds(gateway, user=ALICE)
    assert await holds(gateway, **await session(gateway))
    assert [await holds(gateway, **each) for each in old] == [False, False]
    assert (await asked(gateway, "DELETE", "/people/ended", user=ALICE)).status_code == 404


async def test_connections_are_gone_at_once_and_revoked_at_their_server(connected: Connected, gateway: InnerGateway):
    answer = await end(gateway)
    (owed,) = answer.json()["person"]["revocations"]
    assert (owed["gateway_id"], owed["state"], answer.json()["person"]["to_revoke"]) == (connected.id, "owed", 1)
    assert await gateway.application.services.records.tokens.list(app_user_email=ALICE) == []
    people = People(gateway.application)
    await people.work()
    await (await people._tries()).close()  # what the answer began on the side
    (person,) = (await asked(gateway, "GET", "/people/ended")).json()["people"]
    assert [each["state"] for each in person["revocations"]] == ["revoked"]
    assert connected.provider.accounts.ledger.living() == []


async def test_a_server_that_is_away_is_asked_again_by_whoever_comes(connected: Connected, gateway: InnerGateway):
    """Also after the worker that was asked has gone: what is owed is in the store."""
    connected.provider.arm("revoke", faults.status(503))
    people = People(gateway.application)
    await people.end(ALICE, ROOT, way="command")
    await people.work()
    (owed,) = (await people.show(ALICE, ROOT)).revocations
    assert (owed.state, owed.tries) == ("owed", 1)
    assert "503" in owed.answer
    connected.provider.heal("revoke")
    assert await people.work() == 0, "it has a pause"
    for _ in range(2):  # the last look at the person, and the token
        gateway.clock.advance(minutes=1)
        await people.work()
    (owed,) = (await people.show(ALICE, ROOT)).revocations
    assert (owed.state, owed.tries) == ("revoked", 2)
    gateway.clock.advance(days=100)
    assert (await people.show(ALICE, ROOT)).revocations == ()


async def test_no_other_server_is_shown_a_token_by_who_may_write_to_the_store(
    connected: Connected, gateway: InnerGateway
):
    people, owed = People(gateway.application), gateway.application.services.context.collection(OWED)
    other = await gateway.add(connected.provider.provider.mcp_url, name="Other")
    moved = await people.end(ALICE, ROOT, way="command")
    held = await owed.get(moved.revocations[0].id)
    assert held is not None
    await owed.put(replace(held, body={**held.body, "gateway_id": other}))
    await people.work()
    (shown,) = (await people.show(ALICE, ROOT)).revocations
    assert (shown.state, shown.answer[:22]) == ("not revoked", "No key opens the token")
    assert connected.provider.asked("revoke") == []


async def test_what_another_worker_still_kept_is_taken_too(connected: Connected, gateway: InnerGateway):
    people, tokens = People(gateway.application), gateway.application.services.records.tokens
    (stored,) = await tokens.list(app_user_email=ALICE)
    await people.end(ALICE, ROOT, way="command")
    await tokens.put(stored, replacing=None)
    gateway.clock.advance(seconds=5)
    await people.work()
    assert await tokens.list(app_user_email=ALICE) == []


async def test_an_authorization_under_way_ends_without_a_token(gateway: InnerGateway, provider: FaultSwitch):
    entry = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        returned = await gateway.returned(browser, entry)
        await end(gateway)
        async with gateway.browser(None) as nobody:  # whose proxy in front says nothing any more
            nobody.cookies.update(browser.cookies)
            page = await nobody.open(returned)
    assert page.status == 403, page.text
    assert await gateway.application.services.records.tokens.list(app_user_email=ALICE) == []


async def test_who_is_ended_while_their_code_is_redeemed_keeps_no_token(
    gateway: InnerGateway, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch
):
    entry, endpoint = await gateway.add(provider.provider.mcp_url), gateway.application.token_endpoint
    redeem = endpoint.redeem

    async def ended_meanwhile(*given: Any, **more: Any) -> Any:
        granted = await redeem(*given, **more)
        await People(gateway.application).end(ALICE, ROOT, way="api")
        return granted

    monkeypatch.setattr(endpoint, "redeem", ended_meanwhile)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, entry))
    assert page.status == 403, page.text
    assert await gateway.application.services.records.tokens.list(app_user_email=ALICE) == []
    assert provider.accounts.ledger.living() == []


async def test_who_is_out_does_not_sign_in(gateway: InnerGateway):
    await end(gateway)
    with pytest.raises(InvalidRequest, match="is out"):
        await create_link(gateway.application.services, ALICE)


async def follow(gateway: InnerGateway, link: str) -> httpx.Response:
    async with gateway.client(None, Origin=BASE) as client:
        return await client.post(f"{BASE}/login", data={"token": link.partition("token=")[2]})


async def test_a_login_link_that_was_printed_before_lets_nobody_in(gateway: InnerGateway):
    answers, services = [], gateway.application.services
    links = [await create_link(services, ALICE) for _ in range(2)]
    await end(gateway)
    answers.append(await follow(gateway, links[0]))
    await asked(gateway, "DELETE", "/people/ended", user=ALICE)
    answers.append(await follow(gateway, links[1]))
    assert [each.status_code for each in answers] == [400, 400]
    assert not any("set-cookie" in each.headers for each in answers)
    assert await get_link(services, links[1].partition("token=")[2]) is None
    anew = await follow(gateway, await create_link(services, ALICE))
    assert (anew.status_code, "set-cookie" in anew.headers) == (303, True)


async def test_a_login_link_ends_with_its_users_sessions(gateway: InnerGateway):
    link = await create_link(gateway.application.services, ALICE)
    await sign_out(gateway.application.services, ALICE, actor=ADMIN, way="api")
    assert (await follow(gateway, link)).status_code == 400


async def test_who_is_ended_while_they_sign_in_has_no_session_when_they_are_let_in_again(
    gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    people = People(gateway.application)

    async def ended_a_moment_later(kept: KeyValueRecords, email: str) -> bool:
        found = await is_out(kept, email)
        await people.end(email, ROOT, way="api")
        return found

    link = await create_link(gateway.application.services, ALICE)
    monkeypatch.setattr("latchpin.web.signing_in.is_out", ended_a_moment_later)
    answer = await follow(gateway, link)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    await people.restore(ALICE, ROOT)
    assert not await holds(gateway, Cookie=cookie)


async def test_an_id_token_that_was_handed_in_ends_with_its_person(gateway: InnerGateway):
    services, assertions = gateway.application.services, gateway.application.assertions
    provider = IdentityProvider("https://idp.example.com", None, "client")
    token = IdentityAssertion("a.b.c", provider.issuer, services.clock() + timedelta(hours=1))
    await assertions.put(ALICE, provider, token)
    assert await assertions.get(ALICE, provider, now=services.clock()) == token
    await end(gateway)
    await asked(gateway, "DELETE", "/people/ended", user=ALICE)
    assert await assertions.get(ALICE, provider, now=services.clock()) is None
    assert await services.kept.list(ASSERTIONS) == {}
    await assertions.put(ALICE, provider, token)
    assert await assertions.get(ALICE, provider, now=services.clock()) == token


async def test_who_is_let_in_again_ends_no_authorization_that_they_began_before(
    gateway: InnerGateway, provider: FaultSwitch
):
    entry, tokens = await gateway.add(provider.provider.mcp_url), gateway.application.services.records.tokens
    async with gateway.browser() as browser:
        returned = await gateway.returned(browser, entry)
        await end(gateway)
        await asked(gateway, "DELETE", "/people/ended", user=ALICE)
        page = await browser.open(returned)
        assert page.status == 401, page.text
        assert "ended while you authorized" in page.text
        assert await tokens.list(app_user_email=ALICE) == []
        gateway.clock.advance(seconds=2)  # before that a worker may not have noticed
        await browser.open(await gateway.returned(browser, entry))
    assert len(await tokens.list(app_user_email=ALICE)) == 1


async def test_who_is_ended_while_their_authorization_begins_does_not_come_to_its_end(
    gateway: InnerGateway, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch
):
    """Servers are asked in between, for as long as they take."""
    entry, tokens = await gateway.add(provider.provider.mcp_url), gateway.application.services.records.tokens
    register = StartAuthorization._client

    async def register_slowly(start: StartAuthorization, *given: Any) -> tuple[str, str]:
        await end(gateway)
        await asked(gateway, "DELETE", "/people/ended", user=ALICE)
        gateway.clock.advance(seconds=5)
        return await register(start, *given)

    async with gateway.browser() as browser:
        with monkeypatch.context() as patched:
            patched.setattr(StartAuthorization, "_client", register_slowly)
            returned = await gateway.returned(browser, entry)
        page = await browser.open(returned)
    assert page.status == 401, page.text
    assert await tokens.list(app_user_email=ALICE) == []


@pytest.mark.parametrize(
    "undone", ["latchpin_offboarding.people.sign_out", "latchpin_offboarding.owed.OwedRevocations.take_from"]
)
async def test_whose_end_broke_off_is_let_in_again_with_nothing_of_before(
    undone: str, connected: Connected, gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    """They are out from its first step on; what the others would have done is done before they are let in."""
    old, people = [await session(gateway), await gateway.bearer()], People(gateway.application)

    async def killed(*_: object, **__: object) -> None:
        raise BackendUnavailable("the worker was killed here")

    with monkeypatch.context() as patched:
        patched.setattr(undone, killed)
        with pytest.raises(BackendUnavailable):
            await people.end(ALICE, ROOT, way="command")
    assert await people.is_out(ALICE)
    await people.restore(ALICE, ROOT)
    assert [await holds(gateway, **each) for each in old] == [False, False]
    assert await gateway.application.services.records.tokens.list(app_user_email=ALICE) == []


# -- who may, and whom -----------------------------------------------------------------------------------


def held_back(gateway: InnerGateway, email: str, body: str) -> AsyncIterator[bytes]:
    """A body whose sender is ended before its last byte."""

    async def send() -> AsyncIterator[bytes]:
        yield body[:-1].encode()
        await People(gateway.application).end(email, Caller("root@example.com", is_admin=True), way="api")
        yield body[-1:].encode()

    return send()


async def test_who_holds_a_request_back_until_they_are_ended_does_nothing_by_it(
    gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("latchpin.web.dependencies.PROMPT", 0.0)
    boss = "boss@example.com"
    headers = await gateway.bearer(boss, admin=True) | {"Content-Type": "application/x-www-form-urlencoded"}
    async with gateway.client(None, **headers) as client:
        body = held_back(gateway, boss, f"user={boss}")
        answer = await client.post(f"{BASE}/admin/people/restore", content=body)
    assert answer.status_code == 401
    assert await People(gateway.application).is_out(boss)


@pytest.mark.needs("latchpin_aggregator", "latchpin_proxy")
async def test_who_holds_a_call_back_until_they_are_ended_calls_nothing(
    gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("latchpin_aggregator.endpoint.PROMPT", 0.0)
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    more = {"Content-Type": "application/json", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    async with gateway.client(None, **await gateway.bearer() | more) as client:
        assert (await client.post(f"{BASE}/mcp", json=message)).status_code != 401
        answer = await client.post(f"{BASE}/mcp", content=held_back(gateway, ALICE, json.dumps(message)))
    assert answer.status_code == 401


async def test_who_is_ended_while_their_key_is_tried_leaves_none_for_all(
    gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch
):
    boss, application = Caller("boss@example.com", is_admin=True, via="bearer"), gateway.application
    body = {"name": "Keyed", "url": "https://mcp.example.com/mcp", "auth_type": "api_key", "connection": "shared"}
    entry = await application.gateways.create(parse_gateway_body(body), boss)

    async def try_slowly(*_: object) -> int:
        await People(application).end(boss.email, ROOT, way="api")
        return 1

    monkeypatch.setattr(ApiKeys, "_try", try_slowly)
    with pytest.raises(Forbidden):
        await application.api_keys.keep(entry, "a-key-of-their-own", boss)
    assert await application.services.records.tokens.list(gateway_id=entry.id) == []


async def test_only_administrators_end_people_or_let_them_in(gateway: InnerGateway):
    assert (await end(gateway, "bob@example.com", by=ALICE)).status_code == 403
    for method in ("GET", "DELETE"):
        answer = await asked(gateway, method, "/people/ended", user=ALICE, by=ALICE)
        assert answer.status_code == 403
    with pytest.raises(Forbidden):
        await People(gateway.application).end(ADMIN, Caller(ALICE), way="api")


async def test_an_administrator_is_ended_by_another_and_not_by_themselves(gateway: InnerGateway):
    assert (await end(gateway, ADMIN)).status_code == 400
    other = Caller("root@example.com", is_admin=True, via="bearer")
    await People(gateway.application).end(ADMIN, other, way="api")  # ADMIN_EMAILS lets nobody in who is out
    assert (await asked(gateway, "GET", "/people/ended")).status_code == 401


async def test_one_person_has_one_spelling(gateway: InnerGateway):
    assert (await end(gateway, "ALICE@Example.com")).json()["person"]["app_user_email"] == ALICE
    assert not await holds(gateway, user=ALICE)
    kelvin, accent = "\N{KELVIN SIGN}ate@example.com", "Jose\N{COMBINING ACUTE ACCENT}@example.com"
    jose = unicodedata.normalize("NFC", accent)
    assert (await end(gateway, jose)).json()["person"]["app_user_email"] == jose.lower()
    for wrong in (kelvin, accent, "alice@example.com ", "alice\u200b@example.com", "alice", ""):
        assert (await end(gateway, wrong)).status_code == 400, wrong


@pytest.mark.parametrize("way", ["scim", "acme"])
async def test_a_directory_lets_nobody_in_whom_an_administrator_ended(gateway: InnerGateway, way: str):
    people = People(gateway.application)
    await people.end(ALICE, DIRECTORY, way=way)
    assert (await people.show(ALICE, ROOT)).by == f"a directory ({way})"
    await people.end(ALICE, ROOT, way="command")
    assert (await people.show(ALICE, ROOT)).by == f"{ROOT.email} (command)"
    with pytest.raises(NotFound):
        await people.restore(ALICE, DIRECTORY, way=way)
    await people.end(ALICE, DIRECTORY, way=way)
    assert (await people.show(ALICE, ROOT)).barred.way == "command"
    await people.restore(ALICE, ROOT)
    assert not await people.is_out(ALICE)
    with pytest.raises(NotFound) as failed:
        await people.restore(ALICE, ROOT)
    assert failed.value.remedy == "See who is: latchpin people list"


async def test_a_plugin_that_was_written_before_this_was_one_finds_it_where_it_was(gateway: InnerGateway):
    with pytest.deprecated_call(match="use latchpin_offboarding"):
        people = gateway.application.people
    await people.end(ALICE, ROOT, way="acme")
    assert isinstance(await people.show(ALICE, ROOT), Departed)
    await people.restore(ALICE, ROOT)
    assert not await is_out(gateway.application.services.kept, ALICE)


async def test_it_is_told(gateway: InnerGateway):
    await end(gateway)
    await asked(gateway, "DELETE", "/people/ended", user=ALICE)
    records = AuditLog.of(gateway.application.services.context).records
    events = [entry.event for entry in await records.list(limit=100)]
    assert {"person.signed-out", "person.ended", "person.restored"} <= set(events)
