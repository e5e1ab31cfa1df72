"""Token exchange and the JWT bearer grant as they leave, and what comes back."""

import json
from urllib.parse import parse_qs

import pytest
from latchpin.errors import TokenRefused, UpstreamUnreadable
from latchpin.model import ClientCredentials, IdentityAssertion, OAuthConfig, Reply
from latchpin.oauth.client_auth import basic_parts, public_parts
from latchpin.oauth.token_request import build_grant_request, build_token_request
from latchpin_enterprise.entry import is_workloads
from latchpin_enterprise.id_jag import build_exchange_fields, parse_exchange_reply
from latchpin_testing import MovedClock

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
SUBJECT = IdentityAssertion("eyJ.eyJ.sig", "https://acme.idp.example", MovedClock()())


def fields(request):
    parsed = parse_qs(request.body.decode(), strict_parsing=True)
    assert all(len(values) == 1 for values in parsed.values())
    return {name: values[0] for name, values in parsed.items()}


def reply(document, status=200):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply("https://acme.idp.example/oauth2/token", status, {"content-type": "application/json"}, body)


def test_the_exchange_is_that_of_the_standards_example():
    """draft-ietf-oauth-identity-assertion-authz-grant, the token exchange request (RFC 8693 section 2.1)."""
    asked = build_exchange_fields(
        SUBJECT,
        audience="https://acme.chat.example/",
        resource="https://api.chat.example/",
        scopes=("chat.read", "chat.history"),
    )
    url, parts = "https://acme.idp.example/oauth2/token", public_parts(ClientCredentials("cid"))
    request = build_token_request(url, "cid", parts, asked)
    assert fields(request) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": ID_JAG,
        "audience": "https://acme.chat.example/",
        "resource": "https://api.chat.example/",
        "scope": "chat.read chat.history",
        "subject_token": "eyJ.eyJ.sig",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "client_id": "cid",
    }
    assert "eyJ" not in repr(request) + repr(SUBJECT)


def test_what_is_not_known_is_not_sent():
    asked = build_exchange_fields(SUBJECT, audience="https://as.example", resource=None)
    assert (asked["resource"], asked["scope"]) == (None, None)


def test_the_bearer_grant_is_that_of_the_standards_example():
    """RFC 7523 section 2.1, with this gateway's client beside it."""
    request = build_grant_request(
        token_url="https://as.example.com/token.oauth2",
        client_id="s6Bh",
        authentication=basic_parts(ClientCredentials("s6Bh", "secret", "client_secret_basic")),
        fields={"grant_type": JWT_BEARER, "assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJpc3Mi.J9l-ZhwP"},
        scopes=("a", "b"),
        scope_separator=",",
        resource="https://mcp.example/mcp",
        audience="aud",
    )
    assert fields(request) == {
        "grant_type": JWT_BEARER,
        "assertion": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJpc3Mi.J9l-ZhwP",
        "scope": "a,b",
        "resource": "https://mcp.example/mcp",
        "audience": "aud",
        "client_id": "s6Bh",
    }
    assert request.headers["authorization"].startswith("Basic ")


def test_the_grant_of_an_exchange_is_read():
    """RFC 8693 section 2.2.1: what is no access token has the type N_A."""
    document = {"issued_token_type": ID_JAG, "access_token": "a.b.c", "token_type": "N_A", "expires_in": 300}
    assert parse_exchange_reply(reply(document)) == "a.b.c"


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        ({"access_token": "a.b.c", "token_type": "N_A"}, 200, "issued_token_type is none"),
        ({"access_token": "a.b.c", "issued_token_type": "urn:x:access_token"}, 200, "is 'urn:x:access_token'"),
        ({"access_token": "a.b.c", "issued_token_type": 5}, 200, "is 'unnamed_error'"),
        ({"issued_token_type": ID_JAG}, 200, "without an access_token"),
        ({"issued_token_type": ID_JAG, "access_token": "a b"}, 200, "an access_token with characters"),
        (b"<html>", 200, "a web page"),
        ([], 200, "not an object"),
        ({}, 503, "a problem of its own"),
        ({}, 400, "without saying why"),
    ],
)
def test_anything_else_is_unreadable(document, status, said):
    with pytest.raises(UpstreamUnreadable) as caught:
        parse_exchange_reply(reply(document, status))
    assert said in caught.value.detail


def test_a_refusal_says_its_code_and_hides_what_was_sent():
    document = {"error": "invalid_grant", "error_description": "eyJ.eyJ.sig is stale"}
    with pytest.raises(TokenRefused) as caught:
        parse_exchange_reply(reply(document, 400), hidden=(SUBJECT.token,))
    assert caught.value.error == "invalid_grant"
    assert "(hidden) is stale" in caught.value.detail
    assert "eyJ" not in caught.value.detail


@pytest.mark.parametrize(
    ("config", "workload"),
    [
        ({}, False),
        ({"identity_provider": "https://idp.example"}, False),
        ({"assertion": "sealed"}, True),
        ({"assertion_file": "token"}, True),
    ],
)
def test_who_vouches_follows_from_the_entry(config, workload):
    assert is_workloads(OAuthConfig(grant_type=JWT_BEARER, **config)) is workload
