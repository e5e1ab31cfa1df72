"""What is presented and does not hold never counts as absent: each form of the header, beside a good session."""

from __future__ import annotations

import base64
from datetime import timedelta

import jwt
import pytest
from latchpin.errors import NotSignedIn
from latchpin.identity.presented import parse_authorization
from latchpin.identity.revocations import REMEMBERED, end_everything_of
from latchpin.identity.sessions import session_cookie_name, start_session

from tests.web.conftest import BASE, claims_at, identify, open_gateway

KEY = "k" * 64
TOKEN = "{token}"

REFUSED = [
    (["Bearer\t" + TOKEN], "a tab is no space (RFC 9110 section 11.4)"),
    (["Bearer \t" + TOKEN], "nor is it part of a token"),
    (["Bearer\xa0" + TOKEN], "a no-break space"),
    (["Bearer \xa0" + TOKEN], "a no-break space behind the space"),
    (["\xa0Bearer " + TOKEN], "a no-break space in front"),
    (["Bearer\x0b" + TOKEN], "a vertical tab, which Python strips"),
    (["Bearer\x85" + TOKEN], "a next-line character, which Python strips too"),
    (["Bearer"], "no token"),
    (["Bearer "], "an empty token"),
    ([""], "an empty header"),
    (["Bearer" + TOKEN], "no space: another scheme, which nobody knows"),
    (["Bearer: " + TOKEN], "a colon"),
    (["Bearer=" + TOKEN], "an equals sign"),
    (['Bearer "' + TOKEN + '"'], "quoted"),
    (["Bearer <" + TOKEN + ">"], "in brackets"),
    (["Bearer " + TOKEN + " x"], "two words"),
    (["Bearer " + TOKEN + ", Bearer " + TOKEN], "a list in one header"),
    (["Bearer Bearer " + TOKEN], "the scheme twice"),
    (["Bearer " + TOKEN, "Bearer " + TOKEN], "the header twice"),
    (["Basic YTpi", "Bearer " + TOKEN], "two schemes"),
    (["Bearer " + TOKEN, ""], "a good one and an empty one"),
    ([TOKEN], "no scheme"),
    (["Token " + TOKEN], "a scheme that nobody here knows"),
    (["DPoP " + TOKEN], "a scheme that other servers know"),
    (["Basic YTpi"], "a password, where no proxy asked for it"),
    (["Negotiate"], "a scheme without anything"),
    (["Bearer null"], "what programs send that have no token"),
    (["Bearer undefined"], "the same"),
]


@pytest.mark.parametrize(("values", "why"), REFUSED, ids=[why for _, why in REFUSED])
async def test_a_header_that_proves_nothing_is_401_beside_a_good_session(values, why):
    async with open_gateway() as gateway, gateway.client() as client:
        token = await gateway.signed_tokens.create_bearer("ada@example.com", False, timedelta(hours=1))
        cookie = await start_session(gateway.signed_tokens, "ada@example.com", admin=False, lifetime=timedelta(hours=1))
        client.cookies.set(session_cookie_name(BASE), cookie)
        assert (await client.get("/me")).json()["via"] == "session"
        headers = [(b"authorization", value.replace(TOKEN, token).encode("latin-1")) for value in values]
        answer = await client.get("/me", headers=headers)
        assert (answer.status_code, answer.json()["cause"]) == (401, "not-signed-in"), why
        assert token not in answer.text
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("value", ["Bearer {token}", "bearer {token}", "BEARER   {token}", "\t Bearer {token} \t"])
async def test_what_the_rfc_allows_is_read(value):
    async with open_gateway() as gateway:
        token = await gateway.signed_tokens.create_bearer("ada@example.com", False, timedelta(hours=1))
        found = parse_authorization({"authorization": (value.replace(TOKEN, token),)})
        assert (found.scheme, found.credentials) == ("bearer", token)
        assert token not in repr(found)


async def test_a_proxys_own_scheme_may_come_along_with_whom_it_names():
    proxy = {"trusted_user_header": "X-User", "trusted_proxies": ("10.9.9.9",)}
    async with open_gateway(**proxy) as gateway, gateway.client(peer="10.9.9.9") as client:
        named = {"x-user": "ada@example.com"}
        assert (await client.get("/me", headers=named | {"authorization": "Basic YTpi"})).json()["via"] == "proxy"
        assert (await client.get("/me", headers=named | {"authorization": "Bearer YTpi"})).status_code == 401
        assert (await client.get("/me", headers=named | {"authorization": "Token YTpi"})).status_code == 401
        assert (await client.get("/me", headers={"authorization": "Basic YTpi"})).status_code == 401


TIMES = [
    (1e308, "a float that no date has"),
    (float("inf"), "Infinity, which Python's JSON reads"),
    (float("-inf"), "and its opposite"),
    (float("nan"), "NaN, which is never smaller than now"),
    (10**40, "an integer beyond all dates"),
    (-1, "before 1970"),
    (1_800_000_000_000, "milliseconds"),
    (253_402_300_800, "the year 10000"),
    (True, "a boolean, which Python counts as 1"),
    ("1e308", "text"),
    ("9999999999", "text"),
    ([9_999_999_999], "a list"),
    ({}, "an object"),
]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(("value", "why"), TIMES, ids=[why for _, why in TIMES])
async def test_a_time_that_is_no_date_is_refused(claim, value, why):
    async with open_gateway(jwt_secret_key=KEY) as gateway:
        token = jwt.encode(claims_at(gateway.clock, **{claim: value}), KEY)
        with pytest.raises(NotSignedIn, match="no date"):
            await identify(gateway, token)


async def test_times_with_a_fraction_and_far_dates_are_read():
    async with open_gateway(jwt_secret_key=KEY) as gateway:
        now = gateway.clock().timestamp()
        token = jwt.encode(claims_at(gateway.clock, exp=4_102_444_800, iat=now - 0.5, nbf=now - 0.25), KEY)
        assert (await identify(gateway, token)).email == "ada@example.com"


async def test_a_token_nested_too_deeply_is_refused_before_its_signature():
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":' + b"[" * 20_000).decode().rstrip("=")
    async with open_gateway(jwt_secret_key=KEY) as gateway, gateway.client() as client:
        answer = await client.get("/me", headers={"authorization": f"Bearer {deep}.e30.e30"})
        assert answer.status_code == 401


async def test_a_token_that_does_not_say_when_it_was_issued_is_older_than_any_end():
    async with open_gateway(jwt_secret_key=KEY) as gateway:
        token = jwt.encode(claims_at(gateway.clock), KEY)
        assert (await identify(gateway, token)).email == "ada@example.com"
        await end_everything_of(gateway.services.kept, "ada@example.com", gateway.clock())
        gateway.clock.advance(REMEMBERED)
        with pytest.raises(NotSignedIn, match="ended"):
            await identify(gateway, token)
