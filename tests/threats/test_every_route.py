"""Threats 24 and 27, over every route: what does not hold is no absence, and what is Alice's is Alice's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from latchpin.identity.presented import parse_authorization
from latchpin.identity.sessions import end_session, parse_session, session_cookie_name, start_session
from latchpin.model import Caller, Evidence
from latchpin_api_docs.description import describe_api
from latchpin_authorization_server.grants.grant import Grant, make_grant
from latchpin_authorization_server.personal_tokens.service import open_personal_tokens
from latchpin_authorization_server.server import AuthorizationServer, open_server

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ADMIN as ADMINISTRATOR
from tests.support.gateway_in_process import ALICE, BASE, USER_HEADER, Connected, InnerGateway, connect
from tests.threats.evidence import (
    ADMIN,
    EVERYBODY,
    FOR_ALL,
    LEADING,
    OWN,
    method_and_path,
    missing,
    proven_by,
    routes_of_app,
)

pytestmark = pytest.mark.needs(
    "latchpin_admin_ui",
    "latchpin_aggregator",
    "latchpin_attention",
    "latchpin_authorization_server",
    "latchpin_cimd",
    "latchpin_config",
    "latchpin_connect",
    "latchpin_dcr",
    "latchpin_mail",
    "latchpin_memory_store",
    "latchpin_metrics",
    "latchpin_oidc_login",
    "latchpin_policy",
    "latchpin_proxy",
    "latchpin_registry",
    "latchpin_scim",
)

BOB = "bob@example.com"
HOUR = timedelta(hours=1)
QUERY = f"user={ALICE}&gateway_id={{0}}&gateway_ids={{0}}&gateway={{0}}"

Header = tuple[bytes, bytes]


class Person:
    """Sends what it is told to, with the headers that it is given, cookies among them."""

    def __init__(self, gateway: InnerGateway, ids: Mapping[str, str], *, query: str = "") -> None:
        transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
        self._client = httpx.AsyncClient(transport=transport, base_url=BASE)
        self._ids = dict(ids)
        self._query = query

    async def ask(self, route: str, *headers: Header) -> httpx.Response:
        method, path = method_and_path(route, self._ids)
        sent = [(b"accept", b"application/json"), (b"sec-fetch-site", b"same-origin"), *headers]
        return await self._client.request(method, f"{path}?{self._query}", headers=sent)


def nowhere() -> dict[str, str]:
    """Ids of nothing."""
    names = (
        "gateway_id",
        "flow_id",
        "client_id",
        "row_id",
        "grant_id",
        "token_id",
        "person",
        "rule_id",
        "tool_id",
        "user_id",
    )
    words = {"path": "gateways/x/mcp", "slug": "none", "name": "latchpin.css", "code": "not-found"}
    words |= {"namespace": "localhost", "version": "latest"}
    return dict.fromkeys(names, "0" * 32) | words


def refused(route: str, answer: httpx.Response) -> bool:
    """Whether somebody who is not signed in was told no."""
    return answer.status_code == 401 or answer.status_code in LEADING.get(route, ())


def test_somebody_said_whose_each_route_is(gateway: InnerGateway):
    found = routes_of_app(gateway.app)
    assert missing(found) == set(), "say in tests/threats/evidence.py whose they are"
    assert (EVERYBODY | OWN | ADMIN) - found == set(), "they are gone"
    assert len(EVERYBODY) + len(OWN) + len(ADMIN) == len(found)
    document = describe_api(gateway.app, gateway.application.services.settings)
    described = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert described <= found
    for route in described:
        method, _, path = route.partition(" ")
        ways = document["paths"][path][method.lower()].get("security", [])
        roles = {role for way in ways for named in way.values() for role in named}
        assert bool(ways) == (route not in EVERYBODY), route
        assert roles == ({"administrator"} if route in ADMIN else set()), route
    assert missing({"GET /new"}) == {"GET /new"}


# -- threat 24: a present but invalid credential --------------------------------------------------------------


class KeyIdentity:
    """A plugin's identity, a careless one: what it cannot make anything of is nothing to it."""

    schemes = frozenset({"apikey"})

    async def identify(self, evidence: Evidence) -> Caller | None:
        presented = parse_authorization(evidence.headers)
        good = presented is not None and (presented.scheme, presented.credentials) == ("apikey", "good")
        return Caller(ALICE, via="apikey") if good else None


async def credentials(gateway: InnerGateway) -> tuple[dict[str, list[Header]], dict[str, list[Header]]]:
    """What holds, by who looks at it, and what does not; each of the latter names who looks at it first."""
    signed_tokens = gateway.application.signed_tokens
    token, late, other = [
        (await signed_tokens.create_bearer(email, False, lifetime)).encode()
        for email, lifetime in ((ALICE, HOUR), (ALICE, -HOUR), (BOB, HOUR))
    ]
    cookie = (
        f"{session_cookie_name(BASE)}={await start_session(signed_tokens, ALICE, admin=True, lifetime=HOUR)}".encode()
    )
    user = USER_HEADER.lower().encode()
    good = {
        "bearer": [(b"authorization", b"Bearer " + token)],
        "session": [(b"cookie", cookie)],
        "proxy": [(user, ALICE.encode())],
        "apikey": [(b"authorization", b"ApiKey good")],
    }
    bad = {
        "bearer: made up": [(b"authorization", b"Bearer a.b.c")],
        "bearer: expired": [(b"authorization", b"Bearer " + late)],
        "bearer: after a tab": [(b"authorization", b"Bearer\t" + token)],
        "bearer: after a no-break space": [(b"authorization", b"Bearer\xa0" + token)],
        "bearer: empty": [(b"authorization", b"Bearer ")],
        "bearer: an empty header": [(b"authorization", b"")],
        "bearer: twice": [(b"authorization", b"Bearer " + token)] * 2,
        "bearer: a session's ticket": [(b"authorization", b"Bearer " + cookie.partition(b"=")[2])],
        "bearer: another's": [(b"authorization", b"Bearer " + other)],
        "bearer: a scheme that nobody knows": [(b"authorization", b"Token " + token)],
        "bearer: a key that does not hold": [(b"authorization", b"ApiKey bad")],
        "proxy: twice": [(user, ALICE.encode())] * 2,
        "proxy: no address": [(user, b"alice")],
        "proxy: another's": [(user, BOB.encode())],
    }
    return good, bad


def pairs(good: dict[str, list[Header]], bad: dict[str, list[Header]]) -> dict[str, list[Header]]:
    """Each that does not hold beside each that does and stands in another place."""
    return {
        f"{what}, beside a good {beside}": wrong + right
        for what, wrong in bad.items()
        for beside, right in good.items()
        if not {name for name, _ in wrong} & {name for name, _ in right}
    }


def beside_all(good: dict[str, list[Header]], bad: dict[str, list[Header]]) -> dict[str, list[Header]]:
    """Each that does not hold beside all that do and stand elsewhere: a route that fell back to any would show it."""
    both = {
        "a token": [*good["bearer"], *good["session"], *good["proxy"]],
        "a key": [*good["apikey"], *good["session"], *good["proxy"]],
    }
    found = {}
    for what, wrong in bad.items():
        places = {name for name, _ in wrong}
        for beside, right in both.items():
            rest = [header for header in right if header[0] not in places]
            if [*wrong, *rest] not in found.values():
                found[f"{what}, beside {beside}"] = [*wrong, *rest]
    return found


@pytest.mark.parametrize("turned", [False, True], ids=["as installed", "the other way round"])
async def test_24_what_does_not_hold_is_401_at_every_route_whatever_came_along(gateway: InnerGateway, turned):
    """A broken credential falls through to a weaker one, and the request acts as somebody else."""
    services = gateway.application.services
    order = [*services.identities, KeyIdentity()]
    gateway.app.state.services = replace(services, identities=order[::-1] if turned else order)
    good, bad = await credentials(gateway)
    person, wrong = Person(gateway, nowhere(), query=QUERY.format("0" * 32)), []
    for key in ("bearer", "apikey"):  # they do not contradict each other: the broken one alone is refused
        assert (await person.ask("GET /gateways", *good[key], *good["session"], *good["proxy"])).status_code == 200
    for what, headers in beside_all(good, bad).items():
        for route in sorted(OWN | ADMIN):
            answer = await person.ask(route, *headers)
            if not refused(route, answer) or ALICE in answer.text:
                wrong.append((route, what, answer.status_code))
    assert wrong == []
    proven_by("identity/test_presented.py", "test_a_header_that_proves_nothing_is_401_beside_a_good_session")


def orders(identities: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Orders in which any two of them stand either way round, next to each other and apart."""
    for place in range(len(identities)):
        turned = (*identities[place:], *identities[:place])
        yield from (turned, turned[::-1])


async def test_24_in_every_order_of_the_identities(gateway: InnerGateway):
    services = gateway.application.services
    good, bad = await credentials(gateway)
    person, wrong = Person(gateway, nowhere()), []
    for order in orders([*services.identities, KeyIdentity()]):
        gateway.app.state.services = replace(services, identities=order)
        for beside, headers in good.items():
            assert (await person.ask("GET /gateways", *headers)).status_code == 200, beside
        for what, headers in pairs(good, bad).items():
            answer = await person.ask("GET /gateways", *headers)
            if answer.status_code != 401:
                wrong.append((what, [type(each).__name__ for each in order], answer.status_code))
    assert wrong == []


async def test_24_where_nobody_is_asked_a_broken_credential_makes_nobody_known(gateway: InnerGateway):
    """At a public route it may not act as the good one that came along, either.

    Signing out shows, and ends, the session in the cookie, whatever else there is: it is the way out.
    """
    good, bad = await credentials(gateway)
    person, wrong = Person(gateway, nowhere()), []
    for route in sorted(EVERYBODY - {"GET /logout", "POST /logout"}):
        nobody = await person.ask(route)
        for what, headers in beside_all(good, bad).items():
            answer = await person.ask(route, *headers)
            if ALICE in answer.text or (answer.status_code, len(answer.text)) != (nobody.status_code, len(nobody.text)):
                wrong.append((route, what, nobody.status_code, answer.status_code))
    assert wrong == []


async def test_24_a_session_that_does_not_hold_is_the_end_of_a_session_and_nobody(gateway: InnerGateway):
    """It is no error beside another proof, which then stands alone; by itself it opens nothing."""
    signed_tokens, name = gateway.application.signed_tokens, session_cookie_name(BASE)
    ended = await start_session(signed_tokens, BOB, admin=True, lifetime=HOUR)
    kept = gateway.application.services.kept
    await end_session(kept, parse_session(await signed_tokens.verify("session", ended)))
    late = await start_session(signed_tokens, BOB, admin=True, lifetime=-HOUR)
    other = await signed_tokens.sign("csrf", {"sub": BOB, "sid": "x", "admin": True}, lifetime=HOUR)
    bearer = await signed_tokens.create_bearer(BOB, True, HOUR)
    good, _ = await credentials(gateway)
    person, wrong = Person(gateway, nowhere(), query=QUERY.format("0" * 32)), []
    for what, ticket in {"ended": ended, "late": late, "of a form": other, "a bearer token": bearer, "x": "x"}.items():
        cookie = (b"cookie", f"{name}={ticket}".encode())
        answers = [(route, await person.ask(route, cookie)) for route in sorted(OWN | ADMIN)]
        wrong += [(route, what, answer.status_code) for route, answer in answers if not refused(route, answer)]
        assert (await person.ask("GET /gateways", cookie, *good["bearer"])).status_code == 200
        assert (await person.ask("GET /metrics", cookie, *good["bearer"])).status_code == 403
    assert wrong == []


# -- threat 27: another person's tokens by an admin route -----------------------------------------------------


class Hers:
    """All that Alice has, to see that nobody changed it, and words that nobody else may read."""

    def __init__(self, connected: Connected, server: AuthorizationServer, ids: dict[str, str]) -> None:
        self.connected = connected
        self._server = server
        self.ids = ids
        self._services = connected.gateway.application.services

    async def all(self) -> list[Any]:
        records, gateway_id = self._services.records, self.connected.id
        return [
            await records.tokens.list(app_user_email=ALICE),
            await self._services.tools.list(gateway_id, ALICE),
            await records.gateways.list(),
            await records.clients.list(),
            [grant async for grant in self._server.grants.of_person(ALICE)],
            await (await open_personal_tokens(self._services.context)).list(Caller(ALICE)),
        ]

    def words(self) -> list[str]:
        return [ALICE, *self.connected.bearers()]


@pytest.fixture
async def hers(gateway: InnerGateway, provider: FaultSwitch) -> Hers:
    """Alice is connected and has tools."""
    connected = await connect(gateway, provider)
    assert (await connected.fetch()).status_code == 200
    flow = (await connected.call("GET", "/flows")).json()["flows"][0]["flow_id"]
    (client,) = await gateway.application.services.records.clients.list()
    ids = {"gateway_id": connected.id, "flow_id": flow, "client_id": client.client_id, "row_id": client.id}
    server = await open_server(gateway.application.services.context)
    grant = await allowed(server, client.client_id)
    tokens = await open_personal_tokens(gateway.application.services.context)
    token, _ = await tokens.create(ALICE, name="Report", actor=ALICE)
    ids |= {"grant_id": grant.id, "token_id": token.id}
    return Hers(connected, server, nowhere() | ids)


async def allowed(server: AuthorizationServer, client_id: str) -> Grant:
    """What Alice allowed an MCP client, which got a token for it."""
    made, _ = make_grant(
        email=ALICE, client_id=client_id, client_name="A program", resource=f"{BASE}/x", now=server.clock()
    )
    grant = replace(made, code_hash="", expires_at=server.clock() + HOUR)
    await server.allow(grant)
    return grant


async def bearer(gateway: InnerGateway, email: str) -> Header:
    token = await gateway.application.signed_tokens.create_bearer(email, False, HOUR)
    return (b"authorization", f"Bearer {token}".encode())


async def test_27_nobody_and_another_user_read_and_change_nothing_of_hers(gateway: InnerGateway, hers: Hers):
    """Somebody who is no administrator names Alice, her gateway, her flow and her client at every route."""
    before, words, wrong = await hers.all(), hers.words(), []
    hers.connected.provider.forget()
    person = Person(gateway, hers.ids, query=QUERY.format(hers.connected.id))
    for who, headers in {"nobody": [], "bob": [await bearer(gateway, BOB)]}.items():
        for route in sorted(EVERYBODY | OWN | ADMIN):
            answer = await person.ask(route, *headers)
            if route in ADMIN and answer.status_code != (401 if who == "nobody" else 403):
                wrong.append((who, route, answer.status_code))
            if route in OWN and who == "nobody" and not refused(route, answer):
                wrong.append((who, route, answer.status_code))
            if read := [word for word in words if word in answer.text]:
                wrong.append((who, route, answer.status_code, read))
            if await hers.all() != before:
                wrong.append((who, route, "changed something"))
                before = await hers.all()
    assert wrong == []
    assert len(words) > 1
    assert hers.connected.bearers() == []


async def test_27_an_administrator_reaches_what_is_for_administrators_and_reads_nothing_else_of_hers(
    gateway: InnerGateway, hers: Hers
):
    """What is anybody's own is the administrator's own, too."""
    before, wrong = await hers.all(), []
    words, admin = hers.words(), await bearer(gateway, ADMINISTRATOR)
    hers.connected.provider.forget()
    own, others = Person(gateway, hers.ids), Person(gateway, nowhere())
    for route in sorted((OWN - FOR_ALL) | ADMIN):
        answer = await (others if route in ADMIN else own).ask(route, admin)
        if route in ADMIN and answer.status_code in {401, 403}:
            wrong.append((route, answer.status_code))
        if route in OWN and (read := [word for word in words if word in answer.text]):
            wrong.append((route, answer.status_code, read))
        if await hers.all() != before:
            wrong.append((route, "changed something"))
            before = await hers.all()
    assert wrong == []
    assert hers.connected.bearers() == []
    for route in sorted(route for route in FOR_ALL if route.startswith("GET ")):
        assert ALICE in (await own.ask(route, admin)).text
