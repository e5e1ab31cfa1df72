"""Token and revocation requests as they leave."""

import json
from urllib.parse import parse_qs

from latchpin.model import ClientCredentials
from latchpin.oauth.client_auth import basic_parts, public_parts
from latchpin.oauth.token_request import (
    build_code_request,
    build_grant_request,
    build_refresh_request,
    build_revocation_request,
)

BASIC = basic_parts(ClientCredentials("cid", "s3cret", "client_secret_basic"))
URL = "https://as.example/token?tenant=1"


def fields(request):
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    parsed = parse_qs(request.body.decode(), strict_parsing=True)
    assert all(len(values) == 1 for values in parsed.values())
    return {name: values[0] for name, values in parsed.items()}


def test_the_code_exchange_carries_verifier_resource_and_client_id():
    request = build_code_request(
        token_url=URL,
        client_id="cid",
        authentication=BASIC,
        code="c&d=e",
        code_verifier="v" * 43,
        redirect_uri="https://gw.example/oauth/callback",
        resource="https://mcp.example/mcp",
    )
    assert request.url == URL
    assert request.headers["authorization"].startswith("Basic ")
    assert fields(request) == {
        "grant_type": "authorization_code",
        "code": "c&d=e",
        "code_verifier": "v" * 43,
        "redirect_uri": "https://gw.example/oauth/callback",
        "resource": "https://mcp.example/mcp",
        "client_id": "cid",
    }
    assert "c&d" not in repr(request)
    assert "Basic" not in repr(request)


def test_an_absent_resource_is_not_sent():
    authentication = public_parts(ClientCredentials("cid"))
    request = build_refresh_request(
        token_url=URL, client_id="cid", authentication=authentication, refresh_token="r", resource=None
    )
    assert fields(request) == {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "cid"}
    assert "authorization" not in request.headers


def test_client_credentials_name_scope_resource_and_audience():
    itself = {"grant_type": "client_credentials"}
    request = build_grant_request(
        token_url=URL,
        client_id="cid",
        authentication=BASIC,
        fields=itself,
        scopes=("a", "b"),
        scope_separator=",",
        resource="https://mcp.example",
        audience="api",
    )
    expected = {
        "grant_type": "client_credentials",
        "scope": "a,b",
        "resource": "https://mcp.example",
        "audience": "api",
        "client_id": "cid",
    }
    assert fields(request) == expected
    bare = build_grant_request(token_url=URL, client_id="cid", authentication=BASIC, fields=itself)
    assert fields(bare) == {"grant_type": "client_credentials", "client_id": "cid"}


def test_a_revocation_names_the_kind_of_token():
    request = build_revocation_request(
        revocation_url="https://as.example/revoke",
        client_id="cid",
        authentication=BASIC,
        token="t0ken",
        token_type_hint="refresh_token",
    )
    assert request.url == "https://as.example/revoke"
    assert fields(request) == {"token": "t0ken", "token_type_hint": "refresh_token", "client_id": "cid"}


def test_an_authentication_cannot_change_the_request():
    authentication = public_parts(ClientCredentials("cid"))
    authentication.fields["grant_type"] = "password"
    request = build_refresh_request(
        token_url=URL, client_id="cid", authentication=authentication, refresh_token="r", resource=None
    )
    assert fields(request)["grant_type"] == "refresh_token"


def test_the_same_fields_may_go_as_json():
    request = build_refresh_request(
        token_url=URL, client_id="cid", authentication=BASIC, refresh_token="r & s", resource=None
    )
    sent = request.as_json()
    assert json.loads(sent.body) == fields(request)
    assert sent.headers == {**request.headers, "content-type": "application/json"}
    assert sent.url == URL
    assert "r & s" not in repr(sent)
