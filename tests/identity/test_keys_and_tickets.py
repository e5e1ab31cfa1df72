"""Random keys made once, and the tickets and bearer tokens signed with them."""

import asyncio
import base64
import hmac
import json
from datetime import timedelta

import jwt
import pytest
from latchpin.errors import InvalidRequest, SettingsError
from latchpin.identity.settings import BearerSettings
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.records.kept import KeyValues
from latchpin.workers.keys import random_keys
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock

from tests.web.conftest import cipher_of

A, B, C = (letter * 40 for letter in "abc")
BASE = "https://gateway.example.com"


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def kept(clock):
    return KeyValues(MemoryRecordStore(clock))


def tickets_with(kept, clock, *, secret=A, old=(), base_url=BASE, **settings):
    bearer = BearerSettings(_env_file=None, **settings)
    return SignedTokens(bearer, base_url=base_url, kept=kept, cipher=cipher_of(secret, *old), clock=clock)


async def todays_key(kept, cipher, name):
    return (await random_keys(kept, cipher, name))[0]


# -- keys ---------------------------------------------------------------------------------------------


async def test_all_workers_get_one_random_key(kept):
    keys = await asyncio.gather(*(todays_key(kept, cipher_of(A), "tickets") for _ in range(20)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert await todays_key(kept, cipher_of(A), "bearer") != keys[0]


async def test_a_copy_of_the_store_does_not_tell_the_key(kept):
    key = await todays_key(kept, cipher_of(A), "tickets")
    stored = await kept.get("key:tickets:1")
    assert key.hex() not in stored
    assert base64.urlsafe_b64encode(key).decode() not in stored


async def test_the_key_does_not_follow_from_the_secret(clock):
    first, second = (KeyValues(MemoryRecordStore(clock)) for _ in range(2))
    assert await todays_key(first, cipher_of(A), "tickets") != await todays_key(second, cipher_of(A), "tickets")


async def test_a_changed_secret_makes_a_new_key_and_keeps_the_earlier_one_where_it_can(kept):
    first = await todays_key(kept, cipher_of(A), "tickets")
    second = await todays_key(kept, cipher_of(B), "tickets")
    assert second != first
    assert await random_keys(kept, cipher_of(B, A), "tickets") == (second, first)
    assert await random_keys(kept, cipher_of(B), "tickets") == (second,)
    assert (await random_keys(kept, cipher_of(C, B, A), "tickets"))[1:] == (second, first)
    assert await todays_key(kept, cipher_of(A), "tickets") == first


async def test_a_key_moved_to_another_name_is_not_taken(kept):
    await todays_key(kept, cipher_of(A), "bearer")
    await kept.put("key:tickets:1", await kept.get("key:bearer:1"))
    assert await todays_key(kept, cipher_of(A), "tickets") != await todays_key(kept, cipher_of(A), "bearer")


# -- tickets ------------------------------------------------------------------------------------------


async def test_a_ticket_comes_back_with_its_claims(kept, clock):
    ticket = await tickets_with(kept, clock).sign("success", {"gateway": "g"}, lifetime=timedelta(minutes=1))
    claims = await tickets_with(kept, clock).verify("success", ticket)  # another worker
    assert (claims["gateway"], claims["iss"]) == ("g", BASE)


async def test_a_ticket_serves_one_purpose_until_it_expires(kept, clock):
    signed_tokens = tickets_with(kept, clock)
    ticket = await signed_tokens.sign("success", {}, lifetime=timedelta(minutes=1))
    with pytest.raises(InvalidRequest, match="audience"):
        await signed_tokens.verify("session", ticket)
    clock.advance(timedelta(seconds=61))
    with pytest.raises(InvalidRequest, match="expired"):
        await signed_tokens.verify("success", ticket)


async def test_claims_cannot_override_what_protects_the_ticket(kept, clock):
    signed_tokens = tickets_with(kept, clock)
    forged = {"aud": "latchpin:session", "iss": "https://evil.example", "exp": 9e12}
    claims = await signed_tokens.verify(
        "success", await signed_tokens.sign("success", forged, lifetime=timedelta(minutes=1))
    )
    assert (claims["aud"], claims["iss"]) == ("latchpin:success", BASE)


def _part(value):
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _forge(algorithm, claims, signature):
    head = _part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{_part(json.dumps(claims).encode())}"
    return f"{signed}.{_part(signature(signed.encode()))}"


async def test_forged_tickets_are_refused(kept, clock):
    signed_tokens = tickets_with(kept, clock)
    good = await signed_tokens.sign("success", {"a": 1}, lifetime=timedelta(minutes=1))
    claims = {"iss": BASE, "aud": "latchpin:success", "exp": int(clock().timestamp()) + 60}
    key = await todays_key(kept, cipher_of(A), "tickets")
    assert await signed_tokens.verify(
        "success", _forge("HS256", claims, lambda signed: hmac.digest(key, signed, "sha256"))
    )
    head, body, signature = good.split(".")
    for ticket in (
        _forge("none", claims, lambda signed: b""),
        _forge("HS512", claims, lambda signed: hmac.digest(key, signed, "sha512")),
        jwt.encode(claims, A, algorithm="HS256"),  # the root secret signs no ticket
        jwt.encode(claims, await todays_key(kept, cipher_of(A), "bearer"), algorithm="HS256"),
        jwt.encode({name: value for name, value in claims.items() if name != "exp"}, key),
        f"{head}.{body[:-2]}AA.{signature}",
        f"{head}.{body}.",
        "",
        "a.b.c",
        "\x00",
        "é.é.é",
    ):
        with pytest.raises(InvalidRequest):
            await signed_tokens.verify("success", ticket)
    assert await signed_tokens.verify("success", good)


async def test_tickets_outlive_a_change_of_the_secret_only_while_the_earlier_one_is_listed(kept, clock):
    ticket = await tickets_with(kept, clock).sign("success", {"a": 1}, lifetime=timedelta(hours=1))
    assert (await tickets_with(kept, clock, secret=B, old=(A,)).verify("success", ticket))["a"] == 1
    with pytest.raises(InvalidRequest):
        await tickets_with(kept, clock, secret=B).verify("success", ticket)


async def test_another_gateways_tickets_are_refused(kept, clock):
    ticket = await tickets_with(kept, clock, base_url="https://other.example.com").sign(
        "success", {}, lifetime=timedelta(minutes=1)
    )
    with pytest.raises(InvalidRequest, match="issuer"):
        await tickets_with(kept, clock).verify("success", ticket)


async def test_bearer_tokens_are_not_made_where_another_server_issues_them(kept, clock):
    signed_tokens = tickets_with(
        kept, clock, jwt_jwks_url="https://idp/keys", jwt_issuer="https://idp", jwt_audience="us"
    )
    with pytest.raises(SettingsError, match="JWT_JWKS_URL"):
        await signed_tokens.create_bearer("ada@example.com", False, timedelta(hours=1))
