"""Whom a token proves is remembered: never past its end, at this worker not past anybody's act, elsewhere a second."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from latchpin.contracts import Endings
from latchpin.errors import BackendUnavailable, NotSignedIn
from latchpin.identity.bearer import BearerIdentity
from latchpin.identity.proven import REMEMBERED, ProvenCallers
from latchpin.identity.proxy import ProxyIdentity
from latchpin.identity.session import SessionIdentity
from latchpin.model import Caller
from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.identity import AccessTokenIdentity, Standing
from latchpin_authorization_server.personal_tokens.identity import PersonalTokenIdentity
from latchpin_authorization_server.personal_tokens.service import open_personal_tokens
from latchpin_authorization_server.personal_tokens.token import parse_token
from latchpin_authorization_server.server import open_server
from latchpin_testing import MovedClock

from tests.support.gateway_in_process import ADMIN, ALICE, BASE, USER_HEADER, InnerGateway, open_gateway

pytestmark = pytest.mark.needs("latchpin_authorization_server", "latchpin_proxy", "latchpin_sql_store")

Pair = tuple[InnerGateway, InnerGateway]
End = Callable[[], Awaitable[object]]
"""Ends a token, at one worker."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The identities that were asked, each time."""
    seen: list[str] = []
    for kind in (BearerIdentity, AccessTokenIdentity, PersonalTokenIdentity):
        monkeypatch.setattr(kind, "identify", _noting(seen, kind.__name__, kind.identify))
    return seen


@pytest.fixture
async def entry(pair: Pair) -> str:
    """A gateway of two workers, whose clocks stand still."""
    for each in pair:
        each.clock.stop()
    return await pair[0].add("http://127.0.0.1:9/mcp", auth_type="none")


def _noting(seen: list[str], name: str, identify: Any) -> Any:
    async def noting(identity: Any, evidence: Any) -> Any:
        seen.append(name)
        return await identify(identity, evidence)

    return noting


async def opens(gateway: InnerGateway, entry: str, token: str, *, scheme: str = "Bearer", **headers: str) -> bool:
    """Whether the token says to an MCP endpoint who is asking; it may well refuse that person then."""
    async with gateway.client(None, Authorization=f"{scheme} {token}", **headers) as client:
        answer = await client.post(f"{BASE}/gateways/{entry}/mcp", json={"jsonrpc": "2.0", "method": "ping", "id": 1})
    return answer.status_code != 401


# -- each kind of token, and each way to end it ----------------------------------------------------------


async def bearer(one: InnerGateway, entry: str) -> tuple[str, End]:
    return await one.application.signed_tokens.create_bearer(ALICE, False, timedelta(days=1)), leaving(one)


async def personal(one: InnerGateway, entry: str) -> tuple[str, End]:
    tokens = await open_personal_tokens(one.application.services.context)
    token, text = await tokens.create(ALICE, name="Report", actor=ALICE)
    return text, lambda: tokens.end(token.id, Caller(ALICE))


async def personal_of_a_leaver(one: InnerGateway, entry: str) -> tuple[str, End]:
    text, _ = await personal(one, entry)
    return text, leaving(one)


async def access(one: InnerGateway, entry: str) -> tuple[str, End]:
    server = await open_server(one.application.services.context)
    now, resource = one.clock(), f"{BASE}/gateways/{entry}/mcp"
    grant = Grant(
        secrets.token_hex(16), ALICE, "client", "A client", "", resource, now, now, "", now + timedelta(days=1)
    )
    await server.grants.put(grant)
    text = await server.access_tokens.sign(email=ALICE, client_id="client", resource=resource, grant_id=grant.id)
    return text, lambda: server.end(grant)


async def access_of_a_leaver(one: InnerGateway, entry: str) -> tuple[str, End]:
    text, _ = await access(one, entry)
    return text, leaving(one)


def leaving(one: InnerGateway) -> End:
    """An administrator ends everything of hers."""

    async def end() -> None:
        async with one.client(ADMIN, Origin=BASE, **{"Sec-Fetch-Site": "same-origin"}) as client:
            token = await one.application.signed_tokens.create_bearer(ADMIN, True, timedelta(days=1))
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.delete(f"{BASE}/oauth/tokens", params={"user": ALICE}, headers=headers)
        assert answer.status_code == 200, answer.text

    return end


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("kind", [bearer, personal, personal_of_a_leaver, access, access_of_a_leaver])
async def test_an_end_counts_here_at_once_and_elsewhere_within_a_second(
    pair: Pair, entry: str, asked: list[str], kind: Any
):
    here, elsewhere = pair
    token, end = await kind(here, entry)
    for each in pair:
        assert await opens(each, entry, token)
        asked.clear()
        assert await opens(each, entry, token)
        assert asked == []  # remembered: else this test shows nothing
    elsewhere.clock.advance(seconds=0.4)
    assert await opens(elsewhere, entry, token)
    await end()
    assert not await opens(here, entry, token)
    elsewhere.clock.advance(seconds=0.6)  # a second after it was asked first, and 0.6 after the end
    assert not await opens(elsewhere, entry, token)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("kind", [bearer, personal, access])
async def test_no_memory_adds_up_with_another(pair: Pair, entry: str, kind: Any):
    """Whenever it was asked before the end: what each part remembers is a second together, not each its own."""
    here, elsewhere = pair
    for second in (0.1, 0.25, 0.4, 0.48, 0.52, 0.7, 0.9):
        for each in pair:
            each.clock.advance(days=1)  # before that, all was ended
        token, end = await kind(here, entry)
        assert await opens(elsewhere, entry, token)
        await end()
        elsewhere.clock.advance(seconds=second)
        await opens(elsewhere, entry, token, scheme="BEARER")  # by another hash: the identities are asked again
        elsewhere.clock.advance(seconds=1 - second)
        assert not await opens(elsewhere, entry, token)
        assert not await opens(elsewhere, entry, token, scheme="BEARER")


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("kind", [bearer, personal, access])
async def test_an_end_counts_within_a_second_also_where_somebody_calls_all_the_while(pair: Pair, entry: str, kind: Any):
    here, elsewhere = pair
    token, end = await kind(here, entry)
    assert await opens(elsewhere, entry, token)
    await end()
    for _ in range(9):
        elsewhere.clock.advance(seconds=0.1)
        await opens(elsewhere, entry, token)
        await elsewhere.application.proven_callers.close()  # they are asked anew beside it
    elsewhere.clock.advance(seconds=0.1)
    assert not await opens(elsewhere, entry, token)


@pytest.mark.backends("sqlite")
async def test_an_end_of_other_peoples_tokens_ends_no_others(pair: Pair, entry: str):
    here, _ = pair
    bobs = await here.application.signed_tokens.create_bearer("bob@example.com", False, timedelta(days=1))
    assert await opens(here, entry, bobs)
    await leaving(here)()
    assert await opens(here, entry, bobs)


async def test_a_token_is_not_remembered_past_its_expiry(gateway: InnerGateway, asked: list[str]):
    gateway.clock.stop()
    entry = await gateway.add("http://127.0.0.1:9/mcp", auth_type="none")
    token = await gateway.application.signed_tokens.create_bearer(ALICE, False, timedelta(seconds=60))
    left = int(gateway.clock().timestamp()) + 60 - gateway.clock().timestamp()  # a token names whole seconds
    gateway.clock.advance(seconds=left - 0.1)
    assert await opens(gateway, entry, token)
    asked.clear()
    assert await opens(gateway, entry, token)
    assert asked == []
    gateway.clock.advance(seconds=0.15)
    assert not await opens(gateway, entry, token)


async def test_a_worker_with_another_setting_judges_by_that(environment: pytest.MonkeyPatch):
    """Settings are read at the start: what an earlier process remembered, no later one knows."""
    environment.setenv("JWT_SECRET_KEY", "a-secret-of-the-tests-with-48-characters-in-all!")
    async with open_gateway() as one:
        entry = await one.add("http://127.0.0.1:9/mcp", auth_type="none")
        token = await one.application.signed_tokens.create_bearer(ALICE, False, timedelta(days=1))
        assert await opens(one, entry, token)
    environment.setenv("JWT_AUDIENCE", "https://elsewhere.example.com")
    async with open_gateway() as other:
        assert not await opens(other, await other.add("http://127.0.0.1:9/mcp", auth_type="none"), token)


async def test_who_was_remembered_is_refused_where_another_proof_contradicts(gateway: InnerGateway):
    gateway.clock.stop()
    entry = await gateway.add("http://127.0.0.1:9/mcp", auth_type="none")
    token = await gateway.application.signed_tokens.create_bearer(ALICE, False, timedelta(days=1))
    assert await opens(gateway, entry, token)
    assert not await opens(gateway, entry, token, **{USER_HEADER: "bob@example.com"})
    assert not await opens(gateway, entry, token + "x")
    assert await opens(gateway, entry, token)


async def test_a_token_for_one_endpoint_is_not_remembered_for_another(gateway: InnerGateway):
    gateway.clock.stop()
    entries = [await gateway.add(f"http://127.0.0.1:9/{each}", name=each, auth_type="none") for each in ("one", "two")]
    token, _ = await access(gateway, entries[0])
    assert await opens(gateway, entries[0], token)
    assert not await opens(gateway, entries[1], token)
    assert await opens(gateway, entries[0], token)


async def test_a_personal_token_that_ends_while_it_is_read_is_not_remembered(gateway, monkeypatch):
    gateway.clock.stop()
    tokens = await open_personal_tokens(gateway.application.services.context)
    token, text = await tokens.create(ALICE, name="Report", actor=ALICE)
    presented = parse_token(text)
    assert presented is not None
    get = tokens._records.get

    async def read_before_its_end(token_id: str) -> Any:
        found = await get(token_id)
        monkeypatch.undo()
        await tokens.end(token.id, Caller(ALICE))
        return found

    monkeypatch.setattr(tokens._records, "get", read_before_its_end)
    assert await tokens.find(presented) is not None
    assert await tokens.find(presented) is None


async def test_what_ends_while_the_store_is_asked_stands_no_longer(clock: MovedClock, endings: Endings):
    stored = {"grant"}

    async def read_before_its_end(name: str) -> bool:
        found = name in stored
        stored.discard(name)
        standing.forget(name)
        return found

    standing = Standing(read_before_its_end, clock, endings)
    assert await standing.stands("grant")
    assert not await standing.stands("grant")


# -- the memory by itself --------------------------------------------------------------------------------

TOKEN = (b"authorization", b"Bearer x")
DUE = timedelta(seconds=0.4)
CALLER = Caller(ALICE, via="bearer")


class Reading:
    """An identity that says what it reads."""

    def __init__(self, *fields: str) -> None:
        self.reads = frozenset(fields)

    async def identify(self, evidence: Any) -> Caller | None:
        raise NotSignedIn


class Silent:
    """One that does not: it may judge by the peer's address."""

    async def identify(self, evidence: Any) -> Caller | None:
        return None


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def endings() -> Endings:
    return Endings()


@pytest.fixture
def proven(clock: MovedClock, endings: Endings) -> ProvenCallers:
    return ProvenCallers([Reading("authorization"), Reading("x-user", "cookie")], endings, clock)


async def nobody_asks() -> Caller | None:
    raise AssertionError("the identities are not asked anew")


async def nobody_is_known() -> Caller | None:
    return None


async def refused() -> Caller | None:
    raise NotSignedIn


async def away() -> Caller | None:
    raise BackendUnavailable("the store is away")


def key_of(proven: ProvenCallers, *headers: tuple[bytes, bytes], resource: str | None = None) -> bytes:
    key = proven.key_of(headers or (TOKEN,), resource)
    assert key is not None
    return key


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"x")],
        [TOKEN, TOKEN],
        [TOKEN, (b"Authorization", b"Basic x")],
        [TOKEN, (b"x-user", b"bob@example.com")],
        [TOKEN, (b"X-User", b"")],
        [(b"cookie", b"a=b"), TOKEN],
    ],
    ids=["nothing", "no token", "twice", "twice in other letters", "another proof", "an empty one", "a cookie"],
)
def test_only_who_sends_one_token_and_nothing_else_that_counts_is_remembered(proven, headers):
    assert proven.key_of(headers, None) is None


def test_nobody_is_remembered_where_an_identity_does_not_say_what_it_reads(clock, endings):
    assert ProvenCallers([Reading("authorization"), Silent()], endings, clock).key_of([TOKEN], None) is None


def test_the_builtin_identities_say_what_they_read():
    assert (BearerIdentity.reads, SessionIdentity.reads) == ({"authorization"}, {"cookie"})
    assert ProxyIdentity("X-User", ()).reads == {"x-user"}
    assert ProxyIdentity(None, ()).reads == frozenset()


def test_token_and_resource_together_are_the_key_and_neither_is_kept(proven):
    keys = {
        key_of(proven, (b"authorization", token), resource=resource)
        for token in (b"Bearer x", b"Bearer xy", b"bearer x")
        for resource in (None, "y", "https://a.example.com/mcp")
    }
    assert len(keys) == 9
    assert {len(key) for key in keys} == {32}


def test_one_is_remembered_for_half_a_second(proven, clock):
    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(REMEMBERED / 2)
    assert proven.find(key, nobody_asks) is CALLER
    clock.advance(REMEMBERED / 2)
    assert proven.find(key, nobody_asks) is None


async def test_who_goes_on_calling_is_asked_about_beside_that_by_one_for_all(proven, clock):
    asked = []

    async def ask() -> Caller | None:
        asked.append("again")
        return CALLER

    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(DUE)
    assert [proven.find(key, ask) for _ in range(20)] == [CALLER] * 20
    await proven.close()
    assert asked == ["again"]
    clock.advance(DUE - timedelta(milliseconds=100))  # the first answer would be too old
    assert proven.find(key, nobody_asks) is CALLER


@pytest.mark.parametrize("answer", [nobody_is_known, refused])
async def test_who_is_asked_about_and_not_known_any_more_is_forgotten_at_once(proven, clock, answer):
    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(DUE)
    assert proven.find(key, answer) is CALLER
    await proven.close()
    assert proven.find(key, nobody_asks) is None


async def test_who_cannot_be_asked_about_is_remembered_as_long_as_they_would_be(proven, clock):
    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(DUE)
    assert proven.find(key, away) is CALLER
    await proven.close()
    assert proven.find(key, away) is CALLER
    await proven.close()
    clock.advance(REMEMBERED - DUE)
    assert proven.find(key, nobody_asks) is None


async def test_what_ends_while_it_is_asked_anew_is_not_remembered(proven, clock, endings):
    async def ends_meanwhile() -> Caller | None:
        endings.note()
        return CALLER

    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(DUE)
    assert proven.find(key, ends_meanwhile) is CALLER
    await proven.close()
    assert proven.find(key, nobody_asks) is None


def test_the_time_runs_from_when_the_identities_began_to_be_asked(proven, clock):
    key, asked = key_of(proven), proven.begin()
    clock.advance(REMEMBERED)
    proven.remember(key, CALLER, asked)
    assert proven.find(key, nobody_asks) is None


def test_what_ends_while_the_identities_are_asked_is_not_remembered(proven, endings):
    key, asked = key_of(proven), proven.begin()
    endings.note()
    proven.remember(key, CALLER, asked)
    assert proven.find(key, nobody_asks) is None


def test_a_clock_that_is_set_back_makes_nothing_last(proven, clock):
    key = key_of(proven)
    proven.remember(key, CALLER, proven.begin())
    clock.advance(timedelta(seconds=-60))
    assert proven.find(key, nobody_asks) is None


def test_no_more_than_so_many_are_remembered(proven):
    asked = proven.begin()
    for number in range(1_100):
        proven.remember(number.to_bytes(32), CALLER, asked)
    assert len(proven._proven) == 1_000
    assert proven.find((0).to_bytes(32), nobody_asks) is None
    assert proven.find((1_099).to_bytes(32), nobody_asks) is CALLER
