"""Personal access tokens: made once, for chosen endpoints, for a time; they open nothing else and end at once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from latchpin.contracts import Endings
from latchpin.model import Caller, Evidence
from latchpin.settings import load
from latchpin_authorization_server.personal_tokens.identity import PersonalTokenIdentity
from latchpin_authorization_server.personal_tokens.records import PERSONAL_TOKENS, PersonalTokenRecords
from latchpin_authorization_server.personal_tokens.service import MOST, PersonalTokens, open_personal_tokens
from latchpin_authorization_server.personal_tokens.token import parse_token
from latchpin_authorization_server.server import AuthorizationServer
from latchpin_authorization_server.settings import AuthorizationServerSettings
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import INITIALIZE, StockClient
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, USER_HEADER, InnerGateway, open_gateway

BOB = "bob@example.com"
TOKENS = f"{BASE}/oauth2/personal-tokens"


@asynccontextmanager
async def program_of(gateway: InnerGateway, email: str, *, admin: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    token = await gateway.application.signed_tokens.create_bearer(email, admin, timedelta(days=400))
    async with gateway.client(None, Authorization=f"Bearer {token}") as client:
        yield client


@pytest.fixture
async def alice(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A program of Alice's."""
    async with program_of(gateway, ALICE) as client:
        yield client


@pytest.fixture
async def nobody(gateway: InnerGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.client(None) as client:
        yield client


@pytest.fixture
def elsewhere(gateway: InnerGateway) -> PersonalTokens:
    """Another worker's, on the same store."""
    context: Any = copy(gateway.application.services.context)
    context.endings = Endings()
    server = AuthorizationServer(load(AuthorizationServerSettings), context)
    return PersonalTokens(PersonalTokenRecords(context.collection(PERSONAL_TOKENS)), server)


async def make(alice: httpx.AsyncClient, **wishes: Any) -> dict[str, Any]:
    answer = await alice.post(TOKENS, json={"name": "Report"} | wishes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def call(client: httpx.AsyncClient, url: str, token: str, **headers: str) -> int:
    """The status of an ``initialize`` with the token: 401 says that nobody is known by it."""
    bearer = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    answer = await client.post(url, json=INITIALIZE, headers=bearer | headers)
    return answer.status_code


@pytest.fixture
async def connected(stock: StockClient, browser: Browser) -> str:
    """The URL of an endpoint whose server Alice is connected to."""
    await stock.gets_in(browser)
    return stock.mcp_url


# -- what one opens -----------------------------------------------------------------------------------------


async def test_it_opens_the_endpoint_as_its_person(alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str):
    made = await make(alice)
    assert re.fullmatch(r"lp_pat_[0-9a-f]{32}_[A-Za-z0-9_-]{43}", made["token"])
    assert await call(nobody, connected, made["token"]) == 200


async def test_it_opens_only_the_endpoints_that_were_chosen(
    gateway: InnerGateway, alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str
):
    other = f"{BASE}/gateways/{await gateway.add('http://127.0.0.1:9/mcp', name='Other')}/mcp"
    assert await call(nobody, connected, (await make(alice, resources=[connected]))["token"]) == 200
    assert await call(nobody, connected, (await make(alice, resources=[other]))["token"]) == 401


async def test_it_opens_nothing_but_mcp_endpoints(alice: httpx.AsyncClient, nobody: httpx.AsyncClient):
    bearer = {"Authorization": f"Bearer {(await make(alice))['token']}"}
    for path in ("/gateways", "/oauth2/personal-tokens", "/oauth2/grants", "/applications"):
        assert (await nobody.get(BASE + path, headers=bearer)).status_code == 401, path
    assert (await nobody.post(TOKENS, json={"name": "More"}, headers=bearer)).status_code == 401


@pytest.mark.parametrize("spoil", [lambda text: text[:-1], lambda text: text[:-1] + "!", lambda text: text + "a"])
async def test_what_is_not_quite_one_is_refused_beside_a_good_header(
    alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str, spoil
):
    """Present and invalid is never absent: the proxy's header beside it does not count."""
    text = (await make(alice))["token"]
    assert await call(nobody, connected, spoil(text), **{USER_HEADER: ALICE}) == 401


async def test_another_secret_proves_nothing(alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str):
    first, second = [(await make(alice))["token"] for _ in range(2)]
    mixed = first[:39] + second[39:]
    assert parse_token(mixed) is not None
    assert await call(nobody, connected, mixed) == 401


# -- how one ends -------------------------------------------------------------------------------------------


async def test_it_ends_at_once_here_and_within_a_second_elsewhere(
    gateway: InnerGateway,
    alice: httpx.AsyncClient,
    nobody: httpx.AsyncClient,
    connected: str,
    elsewhere: PersonalTokens,
):
    gateway.clock.stop()
    made = await make(alice)
    presented = parse_token(made["token"])
    assert presented is not None
    assert await call(nobody, connected, made["token"]) == 200
    assert await elsewhere.find(presented) is not None
    assert (await alice.delete(f"{TOKENS}/{made['personal_token']['id']}")).json()["success"] is True
    assert await call(nobody, connected, made["token"]) == 401
    gateway.clock.advance(seconds=1)
    assert await elsewhere.find(presented) is None


async def test_what_is_under_way_for_it_ends_with_it(gateway: InnerGateway, alice: httpx.AsyncClient, connected: str):
    made, ended, application = await make(alice), list[str](), gateway.application
    headers = {"authorization": (f"Bearer {made['token']}",)}
    (identity,) = [each for each in application.services.identities if isinstance(each, PersonalTokenIdentity)]
    caller = await identity.identify(Evidence(headers=headers, peer="", cookies={}, resource=connected))
    assert caller is not None
    application.departures.watch(ALICE, partial(ended.append, "it"), stands_on=caller.stands_on)
    application.departures.watch(ALICE, partial(ended.append, "another"), stands_on="personal-token:another")
    await application.departures.look()
    assert ended == []
    await alice.delete(f"{TOKENS}/{made['personal_token']['id']}")
    await application.departures.look()
    assert ended == ["it"]


async def test_it_ends_by_itself(
    gateway: InnerGateway, alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str
):
    gateway.clock.stop()
    made = await make(alice, days=1 / 86400)
    assert await call(nobody, connected, made["token"]) == 200
    gateway.clock.advance(milliseconds=999)
    assert await call(nobody, connected, made["token"]) == 200
    gateway.clock.advance(milliseconds=1)
    assert await call(nobody, connected, made["token"]) == 401


async def test_it_ends_with_its_persons_sessions(
    gateway: InnerGateway, alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str
):
    made = await make(alice)
    async with program_of(gateway, ADMIN, admin=True) as administrator:
        await administrator.delete(f"{BASE}/oauth/tokens", params={"user": ALICE})
        assert (await administrator.get(TOKENS)).json()["total"] == 0
    assert await call(nobody, connected, made["token"]) == 401


# -- who makes them, and what is kept -----------------------------------------------------------------------


async def test_what_proves_it_is_shown_once_and_not_kept(gateway: InnerGateway, alice: httpx.AsyncClient):
    made = await make(alice)
    secret = made["token"].rpartition("_")[2]
    held = await gateway.application.services.context.collection(PERSONAL_TOKENS).get(made["personal_token"]["id"])
    assert held is not None
    listed = (await alice.get(TOKENS)).json()
    assert listed["personal_tokens"] == [made["personal_token"]]
    for text in (held.dump_body(), str(listed)):
        assert secret not in text


async def test_its_use_is_written_once_an_hour(
    gateway: InnerGateway, alice: httpx.AsyncClient, nobody: httpx.AsyncClient, connected: str
):
    gateway.clock.stop()
    made = await make(alice)
    tokens = await open_personal_tokens(gateway.application.services.context)
    revisions, moments = set(), set()
    for minutes in (0, 30, 29, 1):
        gateway.clock.advance(minutes=minutes)
        assert await call(nobody, connected, made["token"]) == 200
        (token,) = [each for each in await tokens.list(Caller(ALICE)) if each.id == made["personal_token"]["id"]]
        revisions.add(token.revision)
        moments.add(token.used_at)
    assert len(revisions) == len(moments) == 2


async def test_how_long_it_lasts(alice: httpx.AsyncClient):
    made = (await make(alice))["personal_token"]
    assert made["expires_at"][:10] > made["created_at"][:10]
    for days in (0, -1, 366, 1e300):
        assert (await alice.post(TOKENS, json={"name": "x", "days": days})).status_code == 400, days


async def test_what_is_asked_for_must_hold(alice: httpx.AsyncClient):
    for wishes in ({"name": " "}, {"name": "x" * 81}, {"resources": []}, {"resources": ["https://elsewhere/mcp"]}):
        assert (await alice.post(TOKENS, json={"name": "x"} | wishes)).status_code == 400, wishes


async def test_nobody_has_too_many(alice: httpx.AsyncClient):
    for _ in range(MOST):
        await make(alice)
    assert (await alice.post(TOKENS, json={"name": "x"})).status_code == 409


async def test_nobody_sees_or_ends_another_persons(gateway: InnerGateway, alice: httpx.AsyncClient):
    made = (await make(alice))["personal_token"]
    async with program_of(gateway, BOB) as bob:
        assert (await bob.get(TOKENS)).json()["total"] == 0
        assert (await bob.get(TOKENS, params={"user": ALICE})).status_code == 403
        assert (await bob.delete(f"{TOKENS}/{made['id']}")).status_code == 404
    async with program_of(gateway, ADMIN, admin=True) as administrator:
        assert (await administrator.get(TOKENS, params={"user": ALICE})).json()["total"] == 1
        assert (await administrator.delete(f"{TOKENS}/{made['id']}")).status_code == 200


# -- the page -----------------------------------------------------------------------------------------------


async def test_the_page_makes_shows_once_and_ends(
    gateway: InnerGateway, nobody: httpx.AsyncClient, connected: str, browser: Browser
):
    page = await browser.open(f"{BASE}/personal-tokens")
    form = page.form(button="Make it")
    assert form.fields["days"] == "90"
    page = await browser.submit(form, name="Nightly", reach="some", resource=connected, days="7")
    (text,) = set(re.findall(r"lp_pat_[0-9a-f]{32}_[A-Za-z0-9_-]{43}", page.text))
    assert await call(nobody, connected, text) == 200
    page = await browser.open(f"{BASE}/personal-tokens")
    assert text not in page.text
    assert "Nightly" in page.text
    page = await browser.submit(page.form(action="/personal-tokens/end"))
    assert "Nightly opens nothing any more." in page.text
    assert await call(nobody, connected, text) == 401


async def test_without_them_there_is_no_page_and_none_is_taken(environment: pytest.MonkeyPatch, provider):
    environment.setenv("PERSONAL_TOKENS_ENABLED", "false")
    async with open_gateway() as gateway, program_of(gateway, ALICE) as alice, gateway.client(None) as nobody:
        endpoint = f"{BASE}/gateways/{await gateway.add(provider.provider.mcp_url)}/mcp"
        assert (await alice.get(f"{BASE}/personal-tokens")).status_code == 404
        assert (await alice.post(TOKENS, json={"name": "x"})).status_code == 404
        assert await call(nobody, endpoint, f"lp_pat_{'0' * 32}_{'a' * 43}", **{USER_HEADER: ALICE}) == 401
