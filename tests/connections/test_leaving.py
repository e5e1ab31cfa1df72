"""Somebody leaves: an administrator ends all their sessions and our own bearer tokens, with their connections."""

from datetime import timedelta

import pytest
from latchpin.identity import revocations
from latchpin.identity.sessions import session_cookie_name, start_session
from latchpin_audit.log import AuditLog

from tests.support.gateway_in_process import ADMIN, ALICE, BASE

BOB = "bob@example.com"


class Browsers:
    """Sessions, and whom the gateway takes each for."""

    def __init__(self, gateway):
        self.gateway = gateway

    async def sign_in(self, email):
        signed_tokens = self.gateway.application.signed_tokens
        return await start_session(signed_tokens, email, admin=False, lifetime=timedelta(hours=12))

    async def holds(self, ticket):
        async with self.gateway.client(None, Cookie=f"{session_cookie_name(BASE)}={ticket}") as client:
            answer = await client.get(f"{BASE}/oauth/tokens", headers={"accept": "application/json"})
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    async def end(self, connected, email, by=ADMIN):
        answer = await connected.call("DELETE", f"/oauth/tokens?user={email}", by)
        assert answer.status_code == 200, answer.text
        return answer.json()["signed_out"]

    def later(self):
        """When every worker has asked the store again."""
        self.gateway.clock.advance(seconds=1)


@pytest.fixture
def browsers(gateway):
    return Browsers(gateway)


async def test_all_sessions_of_one_person_end(connected, browsers):
    alices = [await browsers.sign_in(ALICE) for _ in range(2)]
    bobs = await browsers.sign_in(BOB)
    assert [await browsers.holds(each) for each in (*alices, bobs)] == [True] * 3
    assert await browsers.end(connected, ALICE) is True
    browsers.later()
    assert [await browsers.holds(each) for each in (*alices, bobs)] == [False, False, True]


async def test_who_signs_in_later_is_in(connected, browsers):
    await browsers.end(connected, ALICE)
    browsers.later()
    again = await browsers.sign_in(ALICE)
    assert await browsers.holds(again)
    await browsers.end(connected, ALICE)  # a second end takes the first one's place
    browsers.later()
    assert not await browsers.holds(again)


async def test_an_end_lasts_as_long_as_anything_that_was_issued(connected, browsers, gateway):
    signed_tokens = gateway.application.signed_tokens
    long = await start_session(signed_tokens, ALICE, admin=False, lifetime=timedelta(days=400))
    await browsers.end(connected, ALICE)
    gateway.clock.advance(days=399)
    assert not await browsers.holds(long)


async def test_a_session_of_an_earlier_version_says_no_time_and_ends_too(connected, browsers, gateway, monkeypatch):
    async def without(purpose, claims, *, lifetime):
        import jwt

        ticket = await sign(purpose, claims, lifetime=lifetime)
        key = (await gateway.application.signed_tokens._ticket_keys.get())[0]
        held = jwt.decode(ticket, options={"verify_signature": False})
        del held["iat"]
        return jwt.encode(held, key, algorithm="HS256")

    sign = gateway.application.signed_tokens.sign
    monkeypatch.setattr(gateway.application.signed_tokens, "sign", without)
    old = await browsers.sign_in(ALICE)
    assert await browsers.holds(old)
    await browsers.end(connected, ALICE)
    browsers.later()
    assert not await browsers.holds(old)


async def test_our_own_bearer_tokens_end_too(connected, browsers, gateway):
    headers = await connected.bearer(ALICE)
    gateway.clock.advance(seconds=1)  # a token says when it was issued in whole seconds
    await browsers.end(connected, ALICE)
    browsers.later()
    async with gateway.client(None, **headers) as client:
        refused = await client.get(f"{BASE}/oauth/tokens")
    assert refused.status_code == 401
    assert "ended with its user's sessions" in refused.text
    assert (await connected.call("GET", "/oauth/tokens", ALICE)).status_code == 200  # made anew


async def test_ones_own_end_signs_nobody_out(connected, browsers):
    alices = await browsers.sign_in(ALICE)
    assert await browsers.end(connected, ALICE, by=ALICE) is False
    browsers.later()
    assert await browsers.holds(alices)


async def test_an_end_is_recorded_and_the_store_is_not_asked_each_time(connected, browsers, gateway, monkeypatch):
    kept = gateway.application.services.kept
    alices, asked, get = await browsers.sign_in(ALICE), [], kept.get

    async def watched(name):
        asked.append(name.partition(":")[0])
        return await get(name)

    monkeypatch.setattr(kept, "get", watched)
    monkeypatch.setattr(revocations, "REMEMBERED", timedelta(minutes=1))  # a busy machine may take half a second
    for _ in range(5):
        assert await browsers.holds(alices)
    assert (asked.count("ended"), asked.count("session-ended")) == (2, 5)  # her own note, and the one for everybody
    await browsers.end(connected, ALICE)
    records = AuditLog.of(gateway.application.services.context).records
    assert "person.signed-out" in [entry.event for entry in await records.list(limit=100)]
