"""Which connections need their person, since when and why; each is told once; and who sees whose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway, OAuthConfig, Sealed, StoredToken
from latchpin.model.accounts import name_authorization
from latchpin_attention.book import NeedsBook, look, look_in_turn
from latchpin_attention.finding import find_needs, needs_of, still_needed
from latchpin_attention.need import Need, Signal, judge, parse_need

from tests.notify.conftest import DAY, connect, gateway_of
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway
from tests.token_refresh.conftest import RotatingServer, add_gateway, origin, put_token, server

__all__ = ["origin", "server"]

pytestmark = pytest.mark.needs("latchpin_attention", "latchpin_demo", "latchpin_memory_store")

NOW = datetime(2026, 11, 30, tzinfo=UTC)
AHEAD = timedelta(days=7)
BOB = "bob@example.com"


def a_gateway(**changed: object) -> Gateway:
    made = Gateway(
        id="0" * 32,
        name="Notes",
        url="https://notes.example.com/mcp",
        auth_type="oauth",
        oauth=OAuthConfig(),
        allowed_users=(),
        pinned_issuer=None,
        created_at=NOW,
        updated_at=NOW,
        revision=1,
    )
    return replace(made, **changed)


def a_token(**changed: object) -> StoredToken:
    made = StoredToken(
        id="a" * 32,
        gateway_id="0" * 32,
        user_id=ALICE,
        app_user_email=ALICE,
        issuer=None,
        resource=None,
        client_id="client",
        access_token=Sealed("x"),
        refresh_token=Sealed("y"),
        token_type="Bearer",
        scopes=(),
        expires_at=NOW + timedelta(hours=1),
        revision=1,
        needs_reauth=False,
        refresh_begun_at=None,
        created_at=NOW,
        updated_at=NOW,
        flow_id="f" * 32,
    )
    return replace(made, **changed)


def needed(token: StoredToken, signal: Signal | None = None, *, now: datetime = NOW, opens: bool = True) -> Need | None:
    return judge(a_gateway(), token, signal, opens=opens, now=now, ahead=AHEAD)


def test_what_works_needs_nobody():
    assert needed(a_token()) is None
    assert needed(a_token(), now=NOW + DAY) is None  # its refresh token renews it
    assert needed(a_token(refresh_token=None)) is None


def test_each_cause_says_since_when():
    spent = needed(a_token(needs_reauth=True))
    assert spent is not None
    assert (spent.cause, spent.since, spent.broken, spent.telling) == ("refresh-refused", NOW, True, True)
    closed = needed(a_token(), opens=False)
    assert closed is not None
    assert closed.cause == "unreadable"
    over = needed(a_token(refresh_token=None, expires_at=NOW + 60 * DAY), now=NOW + 61 * DAY)
    assert over is not None
    assert (over.cause, over.since, over.telling) == ("ended", NOW + 60 * DAY, True)


def test_what_is_granted_for_an_hour_is_shown_and_nobody_is_told():
    token = a_token(refresh_token=None)
    need = needed(token, now=NOW + timedelta(hours=2))
    assert need is not None
    assert (need.cause, need.telling) == ("ended", False)
    assert needed(token, now=NOW + timedelta(minutes=59)) is None, "no last fifth of an hour is near"


def test_a_grant_is_near_its_end_so_long_before_and_never_more_than_its_last_fifth():
    long, short = (a_token(refresh_token=None, expires_at=NOW + days * DAY) for days in (90, 10))
    assert needed(long, now=NOW + 83 * DAY - timedelta(seconds=1)) is None
    soon = needed(long, now=NOW + 83 * DAY)
    assert soon is not None
    assert (soon.cause, soon.since, soon.ends_at) == ("ends-soon", NOW + 83 * DAY, NOW + 90 * DAY)
    assert not soon.broken
    assert needed(short, now=NOW + 8 * DAY - timedelta(seconds=1)) is None
    assert needed(short, now=NOW + 8 * DAY) is not None


def test_a_refresh_token_whose_end_its_server_said_is_judged_by_that():
    token = a_token()
    signal = Signal(name_authorization(token), dated_at=NOW, ends_at=NOW + 100 * DAY)
    assert needed(token, signal, now=NOW + 92 * DAY) is None
    soon = needed(token, signal, now=NOW + 94 * DAY)
    assert soon is not None
    assert soon.cause == "ends-soon"
    over = needed(token, signal, now=NOW + 100 * DAY)
    assert over is not None
    assert over.cause == "ended"
    again = replace(token, flow_id="e" * 32)
    assert needed(again, signal, now=NOW + 100 * DAY) is None, "it was about an earlier authorization"


def test_a_refusal_stands_until_the_next_authorization():
    token = a_token()
    signal = Signal(name_authorization(token), refused_at=NOW, wanted=("write",))
    need = needed(token, signal)
    assert need is not None
    assert (need.cause, need.wanted) == ("scopes-missing", ("write",))
    other = needed(token, replace(signal, wanted=None))
    assert other is not None
    assert other.cause == "refused"
    assert needed(replace(token, revision=9), signal) is not None, "a renewal changes nothing about it"
    assert needed(replace(token, flow_id="e" * 32), signal) is None


def test_what_rests_and_what_a_gateway_gets_by_itself_needs_nobody():
    token = a_token(needs_reauth=True)
    assert needed(replace(token, app_user_email=CLIENT_ITSELF)) is None
    assert needed(replace(token, app_user_email=COMPANY)) is None
    for gateway, owner in ((a_gateway(connection="shared"), ALICE), (a_gateway(), COMPANY)):
        found = judge(gateway, replace(token, app_user_email=owner), None, opens=True, now=NOW, ahead=AHEAD)
        assert found is None
    shared = replace(token, app_user_email=COMPANY, connected_by=ADMIN)
    need = judge(a_gateway(connection="shared"), shared, None, opens=True, now=NOW, ahead=AHEAD)
    assert need is not None
    assert need.person == ADMIN


def test_a_need_has_one_name_for_as_long_as_it_stands():
    token = a_token(needs_reauth=True)
    one, two = needed(token), needed(token, now=NOW + 5 * DAY)
    later = needed(replace(token, updated_at=NOW + DAY), now=NOW + 5 * DAY)
    assert one is not None
    assert two is not None
    assert later is not None
    assert one.id == two.id != later.id
    assert parse_need(one.describe()) == one


async def test_each_need_is_told_once_when_it_begins_and_once_when_it_is_over(gateway: InnerGateway):
    application = gateway.application
    entry = await gateway_of(application)
    await connect(application, entry, ALICE, life=10 * DAY)
    await connect(application, entry, BOB)
    with application.services.activity.hearing() as heard:
        assert await look(application) == (0, 0)
        gateway.clock.advance(days=9)
        assert await look(application) == (1, 0)
        assert await look(application) == (0, 0)
        await connect(application, entry, ALICE)
        assert await look(application) == (0, 1)
        assert await look(application) == (0, 0)
    told = [(fact.name, fact.subject, fact.details["cause"]) for fact in heard]
    assert told == [("connection.needs-person", ALICE, "ends-soon"), ("connection.mended", ALICE, "ends-soon")]
    assert not any(fact.actor for fact in heard), "it is nobody's act: the audit log does not keep it"


async def test_one_worker_looks_within_ten_minutes(gateway: InnerGateway):
    application = gateway.application
    entry = await gateway_of(application)
    await look_in_turn(application)
    await connect(application, entry, ALICE, life=10 * DAY, refresh=None, spent=True)
    await look_in_turn(application)
    book = NeedsBook.of(application.services.context)
    assert await book.read() == []
    gateway.clock.advance(minutes=11)
    await look_in_turn(application)
    assert [need.owner for need in await book.read()] == [ALICE]


async def test_a_refresh_token_that_is_refused_is_told_at_once(gateway: InnerGateway, origin: str):
    application = gateway.application
    entry = await add_gateway(application, origin)
    stored = await put_token(application, entry, ALICE, refresh_token="alice.5")  # of another number than it expects
    with application.services.activity.hearing() as heard, pytest.raises(Exception, match="no longer takes"):
        await application.tokens.token_for(entry, Caller(ALICE))
    told = [fact for fact in heard if fact.name == "connection.needs-person"]
    assert [(fact.subject, fact.details["cause"]) for fact in told] == [(ALICE, "refresh-refused")]
    (need,) = await find_needs(application)
    assert (need.connection, need.id) == (stored.id, told[0].details["need"])
    assert await look(application) == (0, 0), "it is known"


async def test_scopes_that_a_server_misses_are_noted_until_the_person_authorizes_or_declines(gateway: InnerGateway):
    application = gateway.application
    entry = await gateway_of(application)
    caller = Caller(ALICE)
    assert (await application.note_refusal(entry, caller, wanted=["write"])).is_new
    assert await find_needs(application) == [], "who has no connection needs none mended"
    token = await connect(application, entry, ALICE)
    for _ in range(2):
        await application.note_refusal(entry, caller, wanted=["write", "bad scope\r\n"])
    (need,) = await find_needs(application)
    assert (need.cause, need.wanted) == ("scopes-missing", ("write",))
    assert [each.id for each in await NeedsBook.of(application.services.context).read()] == [need.id]
    await application.decline_authorization(entry, caller)
    assert await find_needs(application) == []
    gateway.clock.advance(hours=2)
    await application.note_refusal(entry, caller, wanted=None)
    (need,) = await find_needs(application)
    assert need.cause == "refused"
    await connect(application, entry, ALICE, flow_id="e" * 32)
    assert await find_needs(application) == []
    assert await still_needed(application, [need]) == []
    assert token.id == need.connection


async def test_what_a_server_says_of_its_refresh_tokens_end_is_kept(
    gateway: InnerGateway, server: RotatingServer, origin
):
    server.refresh_lifetime = 40 * 86_400
    application = gateway.application
    entry = await add_gateway(application, origin)
    await put_token(application, entry, ALICE, refresh_token="alice.0")
    await application.tokens.token_for(entry, Caller(ALICE))
    gateway.clock.advance(days=32)
    assert await find_needs(application) == []
    gateway.clock.advance(days=2)
    (need,) = await find_needs(application)
    assert need.cause == "ends-soon"
    await application.tokens.token_for(entry, Caller(ALICE))  # which says a new end
    assert await find_needs(application) == []


async def test_everybody_sees_their_own_and_administrators_what_all_share(gateway: InnerGateway):
    application = gateway.application
    own, shared = await gateway_of(application), await gateway_of(application, "Shared")
    shared = replace(shared, connection="shared", revision=shared.revision + 1)
    await application.services.records.gateways.replace(shared)
    await connect(application, own, ALICE, spent=True, label="work")
    await connect(application, own, BOB, spent=True)
    await connect(application, shared, COMPANY, spent=True, connected_by=ADMIN)
    assert [need.owner for need in await needs_of(application, Caller(ALICE))] == [ALICE]
    assert [need.owner for need in await needs_of(application, Caller(ADMIN, is_admin=True))] == [COMPANY]
    async with gateway.client(ALICE, Accept="application/json") as client:
        mine = (await client.get(f"{BASE}/attention")).json()
        assert [(each["app_user_email"], each["works"]) for each in mine["needs"]] == [(ALICE, False)]
        assert mine["needs"][0]["authorize_url"] == f"{BASE}/oauth/authorize/{own.id}?account=work"
        assert (await client.get(f"{BASE}/attention?everybody=true")).status_code == 403
    async with gateway.client(ADMIN, Accept="application/json") as client:
        everybody = (await client.get(f"{BASE}/attention?everybody=true")).json()
        assert {each["app_user_email"] for each in everybody["needs"]} == {ALICE, BOB, COMPANY}


async def test_pages_show_names_as_text(gateway: InnerGateway):
    application = gateway.application
    entry = await gateway_of(application, "<script>alert(1)</script>")
    await connect(application, entry, ALICE, spent=True)
    for user in (ALICE, ADMIN):
        async with gateway.client(user, Accept="text/html") as client:
            page = (await client.get(f"{BASE}/admin/attention")).text
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page
            assert ("Needs somebody else" in page) == (user == ADMIN)
    async with gateway.client(ALICE, Accept="text/html") as client:
        home = (await client.get(f"{BASE}/")).text
        assert '/admin/attention">Needs attention</a></h2>\n    <p class="number">1</p>' in home
