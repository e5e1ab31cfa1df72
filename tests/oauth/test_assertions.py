"""What assertions say of themselves."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from latchpin.errors import InvalidRequest
from latchpin.oauth.assertions import read_expiry, type_of
from latchpin_enterprise.id_tokens import check_about, parse_identity_assertion

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER, CLIENT = "https://idp.example", "client-7"
CLAIMS = {"iss": ISSUER, "aud": CLIENT, "exp": AT + 60, "email": "ann@example.com"}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(header=None, **changes):
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return f"{part({'alg': 'ES256'} if header is None else header)}.{part(claims)}.c2ln"


def parse(text):
    return parse_identity_assertion(text, issuer=ISSUER, client_id=CLIENT, now=NOW)


@pytest.mark.parametrize("audience", [CLIENT, [CLIENT], ["other", CLIENT]])
def test_an_id_token_for_us_is_taken(audience):
    found = parse(token(aud=audience))
    assert (found.issuer, found.expires_at, found.token_type[-8:]) == (ISSUER, NOW + timedelta(seconds=60), "id_token")
    assert found.token not in repr(found)


def test_it_is_kept_for_a_day_at_most():
    assert parse(token(exp=AT + 10**9)).expires_at == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a signed JWT"),
        ("a.b", "not a signed JWT"),
        ("a.b.", "not a signed JWT"),
        ("a.b.c", "not a signed JWT"),
        (f"a.{part([])}.c", "not a signed JWT"),
        (f"a.{part('[' * 9)}.c", "not a signed JWT"),
        ("a." + "x" * 17_000 + ".c", "not a signed JWT"),
        (token() + "\n", "not a signed JWT"),
        (token(iss=None), "issuer (iss)"),
        (token(iss=f"{ISSUER}/"), "issuer (iss)"),
        (token(aud=None), "audience (aud)"),
        (token(aud={"a": 1}), "audience (aud)"),
        (token(aud=[]), "audience (aud)"),
        (token(exp=AT), "expired"),
        (token(exp=None), "expired"),
        (token(exp=True), "expired"),
        (token(exp="soon"), "expired"),
        (token(exp=10**30), "expired"),
    ],
)
def test_what_is_not_is_refused_by_name(text, said):
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert said in caught.value.detail


@pytest.mark.parametrize("address", ["ann@example.com", " Ann@Example.com "])
def test_it_is_about_its_user_whatever_the_case(address):
    check_about(token(email=address), "ann@example.com", claim="email")
    check_about(token(email_verified=True), "ann@example.com", claim="email")
    check_about(token(upn=address), "ann@example.com", claim="upn")


@pytest.mark.parametrize(
    "text",
    [
        token(email="bob@example.com"),
        token(email=None),
        token(email=["ann@example.com"]),
        token(email_verified=False),
        token(email_verified="no"),
        "a.b.c",
    ],
)
def test_another_address_or_an_unverified_one_is_refused(text):
    with pytest.raises(InvalidRequest):
        check_about(text, "ann@example.com", claim="email")


def test_a_float_is_a_time_and_nonsense_is_none():
    assert read_expiry(token(exp=AT + 0.5)) == NOW + timedelta(seconds=0.5)
    assert read_expiry("nonsense") is None


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ({"alg": "ES256"}, "id_token"),
        ({"typ": "JWT"}, "id_token"),
        ({"typ": 5}, "id_token"),
        ({"typ": "at+jwt"}, "access_token"),
        ({"typ": "application/AT+JWT"}, "access_token"),
    ],
)
def test_an_access_token_that_says_so_is_called_one(header, kind):
    assert type_of(token(header)) == f"urn:ietf:params:oauth:token-type:{kind}"
    assert type_of("nonsense").endswith("id_token")
