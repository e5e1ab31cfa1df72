"""Which URLs identify a client, what the document behind one says, and where the client steps aside."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from latchpin.errors import SettingsError
from latchpin.model import ClientCredentials
from latchpin.settings import load
from latchpin_cimd.document import check_client_id, find_obstacle, unfit
from latchpin_cimd.publication import build_client
from latchpin_cimd.settings import CimdSettings
from latchpin_cimd.signing_key import make_key

from tests.cimd.conftest import CALLBACK, URL


@pytest.mark.parametrize("url", [URL, "https://a.example/c", "https://a.example:8443/c/d.json", "https://a.example/c/"])
def test_a_client_identifier(url):
    assert check_client_id(url) is None
    assert find_obstacle(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://a.example/c", "absolute https URL"),
        ("https:///c", "absolute https URL"),
        ("https://a.example:port/c", "absolute https URL"),
        ("https://[::1/c", "absolute https URL"),
        ("https://xn--/c", "of a host that can exist"),
        ("/oauth/client-metadata.json", "absolute https URL"),
        ("https://a.example/é", "absolute https URL"),
        (f"https://a.example/{'c' * 2000}", "absolute https URL"),
        ("https://a.example", "must have a path"),
        ("https://a.example/", "must have a path"),
        ("https://me@a.example/c", "absolute https URL without user name"),
        ("https://a.example/c?x=1", "no query and no fragment"),
        ("https://a.example/c#x", "no query and no fragment"),
        ("https://a.example/c#", "no query and no fragment"),
        ("https://a.example/a/../c", "no . or .."),
        ("https://a.example/./c", "no . or .."),
        ("https://a.example/a/%2E%2e/c", "no . or .."),
    ],
)
def test_what_identifies_nobody_stops_the_start(url, fault, monkeypatch):
    assert fault in check_client_id(url)
    monkeypatch.setenv("CIMD_URL", url)
    with pytest.raises(SettingsError, match="CIMD_URL"):
        load(CimdSettings)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost:4444/c", "localhost is loopback"),
        ("https://localhost/c", "localhost is loopback"),
        ("https://dev.localhost/c", "loopback"),
        ("https://127.0.0.1/c", "loopback"),
        ("https://[::1]/c", "loopback"),
        ("https://10.1.2.3/c", "not a public address"),
        ("https://169.254.169.254/c", "not a public address"),
        ("http://a.example/c", "must be an absolute https URL"),
    ],
)
def test_where_no_server_could_read_it_there_is_no_document(url, reason):
    assert reason in find_obstacle(url)


def test_the_url_is_the_gateways_own_unless_another_is_set():
    client, reason = build_client(CimdSettings(_env_file=None), "https://gateway.example.com/prefix")
    assert (client.client_id, reason) == ("https://gateway.example.com/prefix/oauth/client-metadata.json", "")
    assert client.redirect_uris == ("https://gateway.example.com/prefix/oauth/callback",)
    client, _ = build_client(CimdSettings(_env_file=None, cimd_url=URL), "http://localhost:4444")
    assert (client.client_id, client.redirect_uris) == (URL, ("http://localhost:4444/oauth/callback",))
    assert build_client(CimdSettings(_env_file=None), "http://localhost:4444")[0] is None
    off = CimdSettings(_env_file=None, cimd_enabled=False, cimd_url=URL)
    assert build_client(off, "https://gateway.example.com") == (None, "CIMD_ENABLED is false")


def test_the_document_without_a_key(client):
    assert client.describe([]) == {
        "client_id": URL,
        "client_name": "Latchpin",
        "client_uri": "https://gateway.example.com",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
        "token_endpoint_auth_method": "none",
    }


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (None, "https://gateway.example.com/prefix"),
        ("https://gateway.example.com:443/c.json", "https://gateway.example.com/prefix"),
        ("https://docs.example.com/clients/c.json", "https://docs.example.com"),
        ("https://docs.example.com:8443/c.json", "https://docs.example.com:8443"),
        ("https://gateway.example.com:8443/c.json", "https://gateway.example.com:8443"),
    ],
)
def test_the_page_about_the_client_is_at_the_documents_origin(url, page):
    client, _ = build_client(CimdSettings(_env_file=None, cimd_url=url), "https://gateway.example.com/prefix")
    assert client.describe([])["client_uri"] == page
    assert client.redirect_uris == ("https://gateway.example.com/prefix/oauth/callback",)


def test_a_published_key_has_no_private_member(client):
    key = make_key()
    document = replace(client, auth_method="private_key_jwt").describe([key.public])
    (published,) = document["jwks"]["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert document["token_endpoint_auth_signing_alg"] == "ES256"
    secret = json.loads(key.private)["d"]
    assert secret not in json.dumps(document)
    assert secret not in repr(key)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"configured": ClientCredentials("mine")}, "entered on the gateway"),
        ({"server": {"extra": {}}}, "does not say"),
        ({"server": {"extra": {"client_id_metadata_document_supported": "true"}}}, "does not say"),
        ({"server": {"token_endpoint_auth_methods_supported": ("client_secret_basic",)}}, "does not take"),
        ({"oauth": {"grant_type": "client_credentials"}}, "no grant client_credentials"),
        ({"redirect_uri": f"{CALLBACK}/{'a' * 32}"}, "redirect URI of its own"),
        ({"auth_method": "private_key_jwt"}, "to use private_key_jwt"),
    ],
)
def test_where_it_steps_aside(changes, reason, client, request_for):
    assert reason in unfit(request_for(**changes), client)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"auth_method": "none"},
        {"server": {"token_endpoint_auth_methods_supported": ("client_secret_basic", "none")}},
        {"server": {"token_endpoint_auth_methods_supported": ()}},
    ],
)
def test_where_it_serves(changes, client, request_for):
    base = {"extra": {"client_id_metadata_document_supported": True}}
    changes = {**changes, "server": base | changes.get("server", {})}
    assert unfit(request_for(**changes), client) is None
