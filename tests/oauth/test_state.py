"""The state parameter: only what this gateway signed, for this browser and user, in time, is believed."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.defaults.signer import HmacSigner
from latchpin.errors import (
    BrowserChanged,
    CallbackMalformed,
    ClockSkew,
    StateExpired,
    StateSignatureInvalid,
    UserChanged,
)
from latchpin.model import COMPANY
from latchpin.oauth.state import (
    LEEWAY,
    MAX_STATE_LENGTH,
    StatePayload,
    build_state,
    check_age,
    check_browser,
    hash_browser,
    parse_state,
)
from latchpin.workers.derived_keys import KeyRing
from pydantic import SecretStr

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COOKIE = "the-browser's-cookie"


def signer(secret: str = "s" * 32, *old: str) -> HmacSigner:
    return HmacSigner(KeyRing([SecretStr(each) for each in (secret, *old)], "state signature"))


SIGNER = signer()
PAYLOAD = StatePayload(
    gateway_id="a" * 32,
    app_user_email="ann@example.com",
    nonce="n" * 22,
    timestamp=NOW.isoformat(),
    browser=hash_browser(COOKIE),
    key_id=SIGNER.key_id,
    instance="0123abcd-7fffffff-123456789abc-89abcdef",
    flow_id="f" * 32,
    store="5" * 16,
)


def forge(body: bytes, by: HmacSigner = SIGNER) -> str:
    def encode(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return f"{encode(body)}.{encode(by.sign(body))}"


def test_a_state_reads_back_as_what_was_signed():
    assert parse_state(build_state(PAYLOAD, SIGNER), SIGNER) == PAYLOAD


def test_the_longest_address_still_fits():
    payload = replace(PAYLOAD, app_user_email="ü" * 240 + "@example.com")
    assert parse_state(build_state(payload, SIGNER), SIGNER) == payload


def test_a_state_says_whose_account_it_is_for_and_nothing_where_it_is_its_users_first():
    plain = build_state(PAYLOAD, SIGNER)
    body = base64.urlsafe_b64decode(plain.partition(".")[0] + "==")
    assert not {"company", "account"} & json.loads(body).keys(), "a version that knows neither reads it"
    assert parse_state(plain, SIGNER).owner == "ann@example.com"
    for_all = replace(PAYLOAD, company="yes")
    assert parse_state(build_state(for_all, SIGNER), SIGNER).owner == COMPANY
    most = {"app_user_email": "a" * 308 + "@example.com", "return_to": "/" * 500, "account": "\U0001f600" * 40}
    longest = build_state(replace(PAYLOAD, **most), SIGNER)
    assert len(longest) <= MAX_STATE_LENGTH
    assert parse_state(longest, SIGNER).account == most["account"]


def test_a_state_is_url_safe_text_of_two_base64url_parts():
    head, tail = build_state(PAYLOAD, SIGNER).split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["gateway_id"] == "a" * 32
    assert len(base64.urlsafe_b64decode(tail + "==")) == 32


@given(st.integers(min_value=0), st.sampled_from("ABCxyz019-_."))
def test_no_single_changed_character_is_accepted(position: int, character: str):
    state = build_state(PAYLOAD, SIGNER)
    position %= len(state)
    if state[position] == character:
        return
    with pytest.raises(StateSignatureInvalid):
        parse_state(state[:position] + character + state[position + 1 :], SIGNER)


@given(st.text(max_size=200))
def test_no_text_brings_anything_but_the_named_errors(text: str):
    with pytest.raises(StateSignatureInvalid):
        parse_state(text, SIGNER)


def test_a_truncated_state_is_damaged():
    with pytest.raises(StateSignatureInvalid, match="damaged"):
        parse_state(build_state(PAYLOAD, SIGNER).partition(".")[0], SIGNER)


def test_a_second_spelling_of_the_same_bytes_is_not_accepted():
    # 32 bytes end in a base64 character with two unused bits: setting them decodes to the same signature
    state = build_state(PAYLOAD, SIGNER)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = state[:-1] + alphabet[alphabet.index(state[-1]) ^ 1]
    with pytest.raises(StateSignatureInvalid, match="spelt"):
        parse_state(twin, SIGNER)


def test_an_altered_payload_under_the_old_signature_is_named_as_altered():
    body = json.dumps(asdict(replace(PAYLOAD, app_user_email="eve@example.com"))).encode()
    tail = build_state(PAYLOAD, SIGNER).partition(".")[2]
    state = base64.urlsafe_b64encode(body).rstrip(b"=").decode() + "." + tail
    with pytest.raises(StateSignatureInvalid, match="altered"):
        parse_state(state, SIGNER)


def test_a_state_signed_under_a_secret_that_is_gone_names_the_secret():
    state = build_state(PAYLOAD, SIGNER)
    with pytest.raises(StateSignatureInvalid, match="AUTH_ENCRYPTION_SECRET changed"):
        parse_state(state, signer("t" * 32))


def test_a_state_signed_under_an_earlier_secret_still_holds():
    state = build_state(PAYLOAD, SIGNER)
    assert parse_state(state, signer("t" * 32, "s" * 32)) == PAYLOAD


def test_a_key_id_that_is_no_key_id_is_not_repeated():
    forged = json.dumps(asdict(replace(PAYLOAD, key_id="x\n" * 20))).encode()
    with pytest.raises(StateSignatureInvalid, match=r"does not have \(\(unreadable\); it has ") as caught:
        parse_state(forge(forged), SIGNER)
    assert caught.value.code == "state-secret-changed"


def test_a_state_from_before_stores_had_names_is_read():
    fields = asdict(PAYLOAD)
    del fields["store"]
    assert parse_state(forge(json.dumps(fields).encode()), SIGNER) == replace(PAYLOAD, store="")


def test_an_overlong_state_is_not_even_decoded():
    with pytest.raises(CallbackMalformed, match=str(MAX_STATE_LENGTH)):
        parse_state("x" * (MAX_STATE_LENGTH + 1), SIGNER)


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b"null",
        b"{}",
        b"[" * 1200,
        json.dumps(asdict(PAYLOAD) | {"more": "x"}).encode(),
        json.dumps(asdict(PAYLOAD) | {"gateway_id": 1}).encode(),
        json.dumps(asdict(PAYLOAD) | {"timestamp": "yesterday"}).encode(),
        json.dumps(asdict(PAYLOAD) | {"timestamp": "2026-03-01T12:00:00"}).encode(),
    ],
)
def test_a_payload_that_is_not_one_is_damaged_even_if_signed(body: bytes):
    with pytest.raises(StateSignatureInvalid, match="payload"):
        parse_state(forge(body), SIGNER)


def test_the_browser_that_began_is_accepted_with_and_without_its_user_signed_in():
    check_browser(PAYLOAD, cookie=COOKIE, signed_in=None)
    check_browser(PAYLOAD, cookie=COOKIE, signed_in="ann@example.com")


def test_a_browser_without_the_cookie_or_with_another_is_refused():
    with pytest.raises(BrowserChanged):
        check_browser(PAYLOAD, cookie=None, signed_in=None)
    with pytest.raises(BrowserChanged):
        check_browser(PAYLOAD, cookie="another", signed_in="ann@example.com")


def test_another_user_in_the_same_browser_is_refused():
    with pytest.raises(UserChanged):
        check_browser(PAYLOAD, cookie=COOKIE, signed_in="bob@example.com")


def test_the_lifetime_ends_exactly_when_it_ends():
    lifetime = timedelta(seconds=300)
    check_age(PAYLOAD, now=NOW + lifetime - timedelta(microseconds=1), lifetime=lifetime)
    with pytest.raises(StateExpired, match="7 s after the limit of 300 s") as caught:
        check_age(PAYLOAD, now=NOW + timedelta(seconds=307), lifetime=lifetime)
    assert caught.value.expired_at == NOW + lifetime
    with pytest.raises(StateExpired):
        check_age(PAYLOAD, now=NOW + lifetime, lifetime=lifetime)


def test_a_state_from_the_future_is_no_younger_than_clocks_may_differ():
    lifetime = timedelta(seconds=300)
    check_age(PAYLOAD, now=NOW - LEEWAY, lifetime=lifetime)
    with pytest.raises(ClockSkew, match="61 s ahead of this one's, more than the 60 s"):
        check_age(PAYLOAD, now=NOW - timedelta(seconds=61), lifetime=lifetime)
