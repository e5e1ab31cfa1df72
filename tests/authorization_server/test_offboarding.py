"""What a person allowed ends with the person's sessions, at every worker, and everybody's with break-glass."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from copy import copy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from latchpin.contracts import Endings
from latchpin.errors import NotSignedIn
from latchpin.model import Caller, Evidence
from latchpin.sdk.identity import end_everything_of
from latchpin.settings import load
from latchpin_admin_cli.taking_back import take_back
from latchpin_authorization_server.grants.consents import CONSENTS
from latchpin_authorization_server.identity import AccessTokenIdentity
from latchpin_authorization_server.people.applications import Applications
from latchpin_authorization_server.personal_tokens.identity import PersonalTokenIdentity
from latchpin_authorization_server.personal_tokens.service import open_personal_tokens
from latchpin_authorization_server.server import AuthorizationServer, open_server
from latchpin_authorization_server.settings import AuthorizationServerSettings
from latchpin_authorization_server.token_endpoint import TokenEndpoint
from latchpin_demo.browser import Browser
from latchpin_offboarding.people import People

from tests.authorization_server.conftest import StockClient, answer_of
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

OPERATOR = Caller(ADMIN, is_admin=True, via="local")


@pytest.fixture
async def leaving(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator's program, for when Alice leaves."""
    async with gateway.client(ADMIN, Origin=BASE) as client:
        token = await gateway.application.signed_tokens.create_bearer(ADMIN, True, timedelta(days=1))
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
async def server(gateway: InnerGateway) -> AuthorizationServer:
    return await open_server(gateway.application.services.context)


@pytest.fixture
def elsewhere(gateway: InnerGateway) -> AuthorizationServer:
    """Another worker's authorization server, on the same store."""
    context: Any = copy(gateway.application.services.context)
    context.endings = Endings()
    return AuthorizationServer(load(AuthorizationServerSettings), context)


async def grants_of(server: AuthorizationServer) -> list[str]:
    return [grant.id async for grant in server.grants.of_everybody()]


async def test_who_leaves_takes_what_they_allowed_along(
    gateway: InnerGateway,
    stock: StockClient,
    browser: Browser,
    leaving: httpx.AsyncClient,
    elsewhere: AuthorizationServer,
):
    gateway.clock.stop()
    tokens = await stock.gets_in(browser)
    (grant,) = await grants_of(elsewhere)
    assert await elsewhere.standing.stands(grant)
    answer = await leaving.delete(f"{BASE}/oauth/tokens", params={"user": ALICE})
    assert answer.json()["signed_out"] is True
    (ended,) = answer.json()["besides"]
    assert (ended["fact"], ended["details"]["resource"]) == ("grant.ended", stock.mcp_url)
    assert answer.json()["message"].endswith("from 1 gateways; ended besides: 1")
    assert await grants_of(elsewhere) == []
    assert (await stock.call(tokens["access_token"])).status_code == 401
    assert (await stock.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    gateway.clock.advance(seconds=1)
    assert not await elsewhere.standing.stands(grant)


async def test_who_comes_back_is_asked_again(
    gateway: InnerGateway, stock: StockClient, browser: Browser, leaving: httpx.AsyncClient
):
    await stock.gets_in(browser)
    await leaving.delete(f"{BASE}/oauth/tokens", params={"user": ALICE})
    gateway.clock.advance(minutes=1)
    page = await browser.open(stock.authorization_url())
    assert page.form(action="/oauth2/decision")


async def test_nothing_is_allowed_with_a_session_that_another_worker_still_takes(
    gateway: InnerGateway, stock: StockClient, browser: Browser, leaving: httpx.AsyncClient, server: AuthorizationServer
):
    """The proxy's header stands for a session that ended a moment ago: it is taken, and makes nothing that lasts."""
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    await leaving.delete(f"{BASE}/oauth/tokens", params={"user": ALICE})
    await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    await stock.visit(browser)
    assert await grants_of(server) == []
    gateway.clock.advance(seconds=11)
    page = await browser.open(stock.authorization_url())
    assert page.form(action="/oauth2/decision"), "nor did it leave a consent"
    assert "code" in answer_of(await stock.visit(browser))


async def ends_and_is_let_in(gateway: InnerGateway) -> None:
    """Alice, a minute later each time."""
    gateway.clock.advance(minutes=1)
    await People(gateway.application).end(ALICE, OPERATOR, way="command")
    gateway.clock.advance(minutes=1)
    await People(gateway.application).restore(ALICE, OPERATOR)


async def test_a_request_from_before_is_not_answered_by_who_is_let_in_again(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    await ends_and_is_let_in(gateway)
    page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    assert page.status == 400, page.text
    assert await grants_of(server) == []


async def test_a_request_from_before_break_glass_is_not_answered(
    gateway: InnerGateway, stock: StockClient, browser: Browser
):
    await stock.introduce()
    page = await browser.open(stock.authorization_url())
    await gateway.application.services.activity.tell("break-glass.done", actor=ADMIN)
    page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    assert page.status == 400, page.text


async def test_a_code_that_was_kept_while_its_person_was_ended_is_not_redeemed(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    """A worker that put the grant while another ended all there were."""
    await stock.introduce()
    code = answer_of(await stock.visit(browser))["code"]
    (grant,) = [each async for each in server.grants.of_everybody()]
    await People(gateway.application).end(ALICE, OPERATOR, way="command")
    await server.grants.put(replace(grant, revision=0))
    await People(gateway.application).restore(ALICE, OPERATOR)
    answer = await stock.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert await grants_of(server) == []


async def test_a_consent_from_before_counts_no_more_wherever_it_is_still_kept(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    await stock.gets_in(browser)
    documents: Any = gateway.application.services.context.collection(CONSENTS)
    (kept,) = await documents.scan(limit=9)
    await ends_and_is_let_in(gateway)
    await documents.put(replace(kept, revision=0))
    page = await browser.open(stock.authorization_url())
    assert page.form(action="/oauth2/decision")


async def test_who_is_ended_while_they_make_a_personal_token_has_none_when_they_are_let_in_again(
    gateway: InnerGateway, server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
):
    check = server.check_not_signed_out

    async def ended_a_moment_later(email: str) -> None:
        await check(email)
        await People(gateway.application).end(email, OPERATOR, way="command")

    monkeypatch.setattr(server, "check_not_signed_out", ended_a_moment_later)
    tokens = await open_personal_tokens(gateway.application.services.context)
    _, text = await tokens.create(ALICE, name="Report", actor=ALICE)
    await People(gateway.application).restore(ALICE, OPERATOR)
    identity = PersonalTokenIdentity(tokens, server.revocations)
    evidence = Evidence(headers={"authorization": (f"Bearer {text}",)}, peer="", cookies={}, resource=f"{BASE}/mcp")
    with pytest.raises(NotSignedIn, match="has ended"):
        await identity.identify(evidence)


async def test_break_glass_ends_what_anybody_allowed(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    tokens = await stock.gets_in(browser)
    gateway.clock.advance(minutes=1)
    await take_back(gateway.application, OPERATOR, within=timedelta(seconds=5), now=time.monotonic)
    gateway.clock.advance(seconds=5)
    assert (await stock.call(tokens["access_token"])).status_code == 401
    assert await grants_of(server) == []
    gateway.clock.advance(minutes=1)
    page = await browser.open(stock.authorization_url())
    assert page.form(action="/oauth2/decision")


async def test_break_glass_leaves_what_was_allowed_since(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer
):
    services = gateway.application.services
    await end_everything_of(services.kept, "*", services.clock())
    gateway.clock.advance(minutes=1)
    tokens = await stock.gets_in(browser)
    await services.activity.tell("break-glass.done", actor=ADMIN)
    assert (await stock.call(tokens["access_token"])).status_code == 200


@pytest.mark.parametrize("way", ["My applications", "revocation"])
async def test_what_is_under_way_for_a_grant_ends_with_it(
    gateway: InnerGateway, stock: StockClient, browser: Browser, server: AuthorizationServer, way: str
):
    tokens, ended, application = await stock.gets_in(browser), list[str](), gateway.application
    headers = {"authorization": (f"Bearer {tokens['access_token']}",)}
    evidence = Evidence(headers=headers, peer="", cookies={}, resource=stock.mcp_url)
    (identity,) = [each for each in application.services.identities if isinstance(each, AccessTokenIdentity)]
    caller = await identity.identify(evidence)
    assert caller is not None
    application.departures.watch(ALICE, partial(ended.append, "it"), stands_on=caller.stands_on)
    application.departures.watch(ALICE, partial(ended.append, "another"), stands_on="grant:another")
    await application.departures.look()
    assert ended == []
    if way == "revocation":
        await TokenEndpoint(server).revoke(
            None, {"client_id": stock.client["client_id"], "token": tokens["refresh_token"]}
        )
    else:
        (grant,) = await grants_of(server)
        await Applications(server).end(grant, Caller(ALICE))
    await application.departures.look()
    assert ended == ["it"]
