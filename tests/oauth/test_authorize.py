"""The authorization request: what is always in it, what a gateway may add, and what it may not."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.model import Sealed, StoredToken
from latchpin.oauth.authorize import (
    RESERVED_PARAMETERS,
    AuthorizationRequest,
    build_authorization_url,
    check_extra_parameters,
    choose_scopes,
)
from latchpin.oauth.lifetime import choose_renewal, is_expired, is_fresh
from latchpin.oauth.pkce import S256, build_verifier

REQUEST = AuthorizationRequest(
    authorization_endpoint="https://as.example/authorize",
    client_id="client 1",
    redirect_uri="http://localhost:4444/oauth/callback",
    state="s.t",
    code_challenge="challenge",
    code_challenge_method="S256",
)


def query(request: AuthorizationRequest) -> dict[str, list[str]]:
    return parse_qs(urlsplit(build_authorization_url(request)).query)


def test_the_plain_request_has_exactly_what_the_standards_ask_for():
    assert query(REQUEST) == {
        "response_type": ["code"],
        "client_id": ["client 1"],
        "redirect_uri": ["http://localhost:4444/oauth/callback"],
        "state": ["s.t"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
    }


def test_scope_resource_and_audience_are_sent_where_there_are_any():
    request = replace(
        REQUEST, scopes=("a", "b"), scope_separator=",", resource="https://mcp.example/x?y=1", audience="api"
    )
    sent = query(request)
    assert sent["scope"] == ["a,b"]
    assert sent["resource"] == ["https://mcp.example/x?y=1"]
    assert sent["audience"] == ["api"]


def test_the_key_that_tokens_are_bound_to_is_named_where_there_is_one():
    assert query(replace(REQUEST, key_thumbprint="jkt"))["dpop_jkt"] == ["jkt"]
    assert "dpop_jkt" in RESERVED_PARAMETERS


def test_scopes_may_go_by_another_name_unless_that_is_configured():
    request = replace(REQUEST, scopes=("a", "b"), scope_parameter="user_scope")
    assert (query(request).get("scope"), query(request)["user_scope"]) == (None, ["a b"])
    assert query(replace(request, extra={"user_scope": "mine"}))["user_scope"] == ["mine"]


def test_what_a_provider_wants_is_added_to_what_was_found_and_to_nothing_else():
    def choose(**more):
        given = {"configured": (), "challenged": None, "resource_supports": None, "server_supports": None}
        return choose_scopes(**(given | more), added=("offline_access",))

    assert choose(challenged=("a",)) == ("a", "offline_access")
    assert choose(challenged=("a", "offline_access"), server_supports=("offline_access",)) == ("a", "offline_access")
    assert choose(configured=("a",)) == ("a",)
    assert choose() == ()


OURS = {
    "response_type": "code",
    "client_id": "client 1",
    "redirect_uri": "http://localhost:4444/oauth/callback",
    "state": "s.t",
    "code_challenge": "challenge",
    "code_challenge_method": "S256",
    "scope": "a b",
    "resource": "https://mcp.example",
    "audience": "api",
    "dpop_jkt": "jkt",
    "prompt": "consent",
}
FULL = replace(
    REQUEST,
    scopes=("a", "b"),
    resource="https://mcp.example",
    audience="api",
    key_thumbprint="jkt",
    extra={"prompt": "consent"},
)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("form", ["{}=theirs", "{}=theirs&{}=more", "{}", "{}=", "t=1&{}=theirs&u=2"])
def test_no_parameter_is_there_twice_and_ours_counts(name: str, form: str):
    endpoint = f"https://as.example/a?{form.format(name, name)}"
    url = build_authorization_url(replace(FULL, authorization_endpoint=endpoint))
    sent = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert {key: sent[key] for key in OURS} == {key: [value] for key, value in OURS.items()}
    assert sent.keys() - OURS.keys() == ({"t", "u"} if "t=1" in form else set())


ENDPOINTS = [
    # the endpoint's query, what is left of it where we say nothing of that kind, why
    ("scope=openid", {"scope": ["openid"]}, "the server's own default"),
    ("audience=api", {"audience": ["api"]}, "the server's own default"),
    ("resource=https%3A%2F%2Fr", {"resource": ["https://r"]}, "the server's own default"),
    ("p=B2C_1_signin&tenant=a%2Bb", {"p": ["B2C_1_signin"], "tenant": ["a+b"]}, "nothing of ours"),
    ("Scope=x", {"Scope": ["x"]}, "names differ by case"),
    ("%73tate=x", {}, "the same name, written otherwise"),
    ("request=eyJ", {}, "it could replace all that we say (RFC 9101)"),
    ("request_uri=https%3A%2F%2Fx", {}, "the same"),
    ("dpop_jkt=x", {}, "it would bind the code to another key"),
    ("response_mode=form_post", {}, "an answer is read from the query"),
    ("response_mode=query", {"response_mode": ["query"]}, "which this says"),
    ("&&", {}, "nothing"),
]


@pytest.mark.parametrize(("of_the_endpoint", "left", "why"), ENDPOINTS)
def test_what_is_kept_of_an_endpoints_query(of_the_endpoint: str, left: dict[str, list[str]], why: str):
    sent = query(replace(REQUEST, authorization_endpoint=f"https://as.example/a?{of_the_endpoint}"))
    assert {key: value for key, value in sent.items() if key not in query(REQUEST)} == left, why
    assert {key: sent[key] for key in query(REQUEST)} == query(REQUEST)


def test_a_query_of_the_endpoint_is_kept_and_a_fragment_is_not():
    url = build_authorization_url(replace(REQUEST, authorization_endpoint="https://as.example/a?tenant=7#x"))
    assert parse_qs(urlsplit(url).query)["tenant"] == ["7"]
    assert urlsplit(url).fragment == ""


@pytest.mark.parametrize("name", sorted(RESERVED_PARAMETERS))
def test_extra_parameters_never_override_ours(name: str):
    extra = {name: "evil", "prompt": "consent"}
    sent = query(replace(REQUEST, extra=extra))
    assert "evil" not in str(sent)
    assert sent["prompt"] == ["consent"]


@pytest.mark.parametrize(
    ("configured", "challenged", "resource", "server", "chosen"),
    [
        (("a",), ("b",), ("c",), None, ("a",)),
        ((), ("b",), ("c",), None, ("b",)),
        ((), None, ("c",), None, ("c",)),
        ((), (), ("c",), None, ("c",)),
        ((), None, None, ("x", "y"), ()),
        ((), ("b", "offline_access"), None, None, ("b",)),
        ((), ("b", "offline_access"), None, ("b",), ("b",)),
        ((), ("b", "offline_access"), None, ("offline_access",), ("b", "offline_access")),
        (("offline_access",), None, None, None, ("offline_access",)),
    ],
)
def test_scopes_are_chosen_in_the_specified_order(configured, challenged, resource, server, chosen):
    assert (
        choose_scopes(configured=configured, challenged=challenged, resource_supports=resource, server_supports=server)
        == chosen
    )


def test_the_challenge_of_rfc_7636_appendix_b():
    assert (
        S256().challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_verifier_is_43_characters_of_256_bits():
    verifier = build_verifier(lambda count: bytes(range(count)))
    assert len(verifier) == 43
    assert base64.urlsafe_b64decode(verifier + "=") == bytes(range(32))
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert S256().challenge(verifier) == digest


NOW = datetime(2026, 3, 1, tzinfo=UTC)


def token(lifetime: timedelta) -> StoredToken:
    return StoredToken(
        id="1", gateway_id="g", user_id="u", app_user_email="u", issuer=None, resource=None, client_id="c",
        access_token=Sealed("x"), refresh_token=None, token_type="Bearer", scopes=(), expires_at=NOW + lifetime,
        revision=1, needs_reauth=False, refresh_begun_at=None, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def test_a_long_lived_token_is_renewed_a_minute_early():
    long = token(timedelta(hours=1))
    assert is_fresh(long, NOW + timedelta(minutes=58, seconds=59))
    assert not is_fresh(long, NOW + timedelta(minutes=59))
    assert not is_expired(long, NOW + timedelta(minutes=59))
    assert is_expired(long, NOW + timedelta(hours=1))


def test_a_short_lived_token_is_renewed_in_its_last_fifth():
    short = token(timedelta(seconds=10))
    assert is_fresh(short, NOW + timedelta(seconds=7.9))
    assert not is_fresh(short, NOW + timedelta(seconds=8))


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"response_mode": "form_post"}, "response_mode to anything but 'query'"),
        ({"state": "x", "nonce": "y", "client_id": "z"}, "must not contain client_id, state"),
    ],
)
def test_what_a_gateway_may_not_add_is_refused(extra: dict[str, str], text: str):
    with pytest.raises(ValueError, match=text):
        check_extra_parameters(extra)
    check_extra_parameters({"response_mode": "query", "prompt": "consent"})


def test_each_token_is_renewed_at_a_moment_of_its_own_in_the_last_fifth():
    tokens = [replace(token(timedelta(hours=1)), id=str(number)) for number in range(20)]
    moments = [choose_renewal(each) for each in tokens]
    assert len(set(moments)) == len(tokens)
    assert all(timedelta(minutes=48) <= moment - NOW < timedelta(minutes=60) for moment in moments)
    assert moments == [choose_renewal(each) for each in tokens]
