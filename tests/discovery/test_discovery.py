"""The pure half: where metadata would be, and what it must say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from latchpin.errors import DiscoveryFailed, PkceUnsupported, UpstreamError, UpstreamUnreadable
from latchpin.model import OAuthConfig, Reply, ServerMetadata
from latchpin.model.urls import origin_of
from latchpin.oauth.discovery import (
    apply_settings,
    build_metadata_from_settings,
    build_resource_metadata_urls,
    build_server_metadata_urls,
    check_pkce,
    parse_resource_metadata,
    parse_server_metadata,
)
from latchpin.oauth.documents import NoDocument, parse_words

ISSUER = "https://as.example/tenant"
SERVER = "https://mcp.example/a/mcp"
ROOT = "https://mcp.example/.well-known/oauth-protected-resource"
GOOD = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://as.example/tenant/authorize?tenant=1",
    "token_endpoint": "https://as.example/tenant/token",
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["a", "b"],
    "authorization_response_iss_parameter_supported": True,
    "x_more": {"kept": [1]},
}


def reply(document: Any, *, status: int = 200, url: str = "https://as.example/md", kind: str = "") -> Reply:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(url=url, status=status, headers={"content-type": kind}, body=body)


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://as.example",
            (
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ),
        ),
        (
            "https://as.example:8443/",
            (
                "https://as.example:8443/.well-known/oauth-authorization-server",
                "https://as.example:8443/.well-known/openid-configuration",
            ),
        ),
        (
            "https://as.example/a/b/",
            (
                "https://as.example/.well-known/oauth-authorization-server/a/b",
                "https://as.example/.well-known/openid-configuration/a/b",
                "https://as.example/a/b/.well-known/openid-configuration",
            ),
        ),
    ],
)
def test_where_an_issuers_metadata_may_be(issuer: str, urls: tuple[str, ...]) -> None:
    assert build_server_metadata_urls(issuer) == urls


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "as.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "https://as.example?x=1",
        "https://as.example#x",
        "https://user@as.example",
        "https://as.example:99999",
        "https://as.example:0",
        "https://as.ex ample",
        "https://as.example/\r\nX: y",
        "https://as.example\\@evil",
        "https://\u0430s.example",
        "https://[::1",
        "https://as.example/" + "x" * 3_000,
    ],
)
def test_what_is_no_issuer(issuer: str) -> None:
    with pytest.raises(DiscoveryFailed):
        build_server_metadata_urls(issuer)


def test_where_a_servers_resource_metadata_may_be() -> None:
    assert build_resource_metadata_urls(SERVER) == (f"{ROOT}/a/mcp", ROOT)
    assert build_resource_metadata_urls("https://mcp.example/") == (ROOT,)
    assert build_resource_metadata_urls("https://mcp.example/mcp?x=1") == (f"{ROOT}/mcp?x=1", ROOT)
    with pytest.raises(DiscoveryFailed):
        build_resource_metadata_urls("mcp")
    assert origin_of(SERVER) == "https://mcp.example"


LONGEST = "x" * 200
ODD_SCOPES = ["a", "\ud800", "b c", 'q"', "back\\", "", "\x7f", "\n", "\u00e9", "x" * 201, "y" * 500_000, LONGEST, "a"]


def test_what_cannot_be_a_scope_is_left_out() -> None:
    metadata = parse_server_metadata(reply({**GOOD, "scopes_supported": ODD_SCOPES}), ISSUER)
    assert metadata.scopes_supported == ("a", LONGEST)
    document = {"resource": SERVER, "scopes_supported": ODD_SCOPES}
    assert parse_resource_metadata(reply(document), SERVER).scopes_supported == ("a", LONGEST)


def test_a_resource_names_at_most_fifty_scopes_and_a_server_may_list_more() -> None:
    names = [f"s{number}" for number in range(200)]
    resource = parse_resource_metadata(reply({"resource": SERVER, "scopes_supported": names}), SERVER)
    assert resource.scopes_supported == tuple(names[:50])
    listed = parse_server_metadata(reply({**GOOD, "scopes_supported": [*names, "offline_access"]}), ISSUER)
    assert listed.scopes_supported is not None
    assert "offline_access" in listed.scopes_supported


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\n", "\x7f", "\u202e", " "])
@pytest.mark.parametrize("name", ["registration_endpoint", "revocation_endpoint"])
def test_an_endpoint_that_cannot_be_asked_is_none(name: str, odd: str) -> None:
    found = parse_server_metadata(reply({**GOOD, name: f"https://as.example/{odd}"}), ISSUER)
    assert (found.registration_endpoint, found.revocation_endpoint) == (None, None)
    assert [text.partition(" ")[0] for text in found.passed_over] == [name]
    assert found.passed_over[0].isascii()


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\n", "\x7f", "\u202e", " "])
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_no_endpoint_that_decides_holds_what_cannot_travel(name: str, odd: str) -> None:
    with pytest.raises(UpstreamUnreadable, match=name) as caught:
        parse_server_metadata(reply({**GOOD, name: f"https://as.example/{odd}"}), ISSUER)
    assert caught.value.detail.isascii()
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\n", "\x7f", "\u202e", " "])
def test_no_issuer_or_resource_holds_what_cannot_travel(odd: str) -> None:
    with pytest.raises(DiscoveryFailed, match="issuer") as caught:
        build_server_metadata_urls(f"https://as.example/{odd}")
    assert caught.value.detail.isascii()
    with pytest.raises(UpstreamUnreadable, match="resource"):
        parse_resource_metadata(reply({"resource": f"{SERVER}{odd}"}), SERVER)


def test_good_metadata() -> None:
    metadata = parse_server_metadata(reply(GOOD), ISSUER)
    assert metadata.issuer == ISSUER
    assert metadata.authorization_endpoint == GOOD["authorization_endpoint"]
    assert metadata.code_challenge_methods_supported == ("S256",)
    assert metadata.scopes_supported == ("a", "b")
    assert metadata.iss_parameter_supported is True
    assert metadata.registration_endpoint is None
    assert metadata.source == "https://as.example/md"
    assert metadata.extra["x_more"] == {"kept": [1]}


@pytest.mark.parametrize(
    "issuer",
    [f"{ISSUER}/", "https://AS.example/tenant", "https://as.example:443/tenant", "https://evil", None, 7, [ISSUER]],
)
def test_the_issuer_must_be_identical(issuer: Any) -> None:
    with pytest.raises(DiscoveryFailed) as caught:
        parse_server_metadata(reply({**GOOD, "issuer": issuer}), ISSUER)
    assert ISSUER in caught.value.detail
    assert str(issuer).strip("[]'") in caught.value.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "http://as.example/authorize"),
        ("authorization_endpoint", "/authorize"),
        ("authorization_endpoint", "https://as.example/authorize#x"),
        ("authorization_endpoint", "https://user:pw@as.example/authorize"),
        ("authorization_endpoint", 7),
        ("token_endpoint", None),
        ("token_endpoint", ""),
        ("token_endpoint", ["https://as.example/token"]),
        ("authorization_response_iss_parameter_supported", "yes"),
        ("authorization_response_iss_parameter_supported", 0),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(UpstreamUnreadable, match=name):
        parse_server_metadata(reply({**GOOD, name: value}), ISSUER)


ODD_MEMBERS: list[tuple[str, Any, Any, str]] = [
    # the member, what it holds, what is read, why
    ("registration_endpoint", "", None, "an empty text where nothing is meant"),
    ("registration_endpoint", "data:text/html,x", None, "nobody can be asked there"),
    ("registration_endpoint", "http://as.example/register", None, "only https is asked"),
    ("revocation_endpoint", "", None, "an empty text"),
    ("revocation_endpoint", "/revoke", None, "a path is no URL"),
    ("revocation_endpoint", "N/A", None, "a word"),
    ("revocation_endpoint", False, None, "a flag"),
    ("revocation_endpoint", {}, None, "an object"),
    ("revocation_endpoint", "https://xn--/revoke", None, "a host that cannot exist"),
    ("scopes_supported", "a b", ("a", "b"), "scopes as they stand in a request"),
    ("scopes_supported", "", None, "an empty text says nothing"),
    ("scopes_supported", {"a": "reads"}, None, "an object says something else"),
    ("scopes_supported", [{"name": "a"}], None, "nothing of it is a text"),
    ("scopes_supported", ["a", None, 7, "b"], ("a", "b"), "what is no text is left out"),
    ("scopes_supported", [f"s{n}" for n in range(1_001)], tuple(f"s{n}" for n in range(1_000)), "too many"),
    ("grant_types_supported", "authorization_code", ("authorization_code",), "one in the place of a list"),
    ("grant_types_supported", True, None, "a flag"),
    ("grant_types_supported", ["refresh_token", None], ("refresh_token",), "a null among them"),
    ("token_endpoint_auth_methods_supported", "none", ("none",), "one in the place of a list"),
    ("token_endpoint_auth_methods_supported", {"none": 1}, None, "an object"),
    ("code_challenge_methods_supported", "S256", ("S256",), "one in the place of a list"),
    ("code_challenge_methods_supported", ["S256", None], ("S256",), "a null among them"),
    ("code_challenge_methods_supported", 256, None, "PKCE is not offered by that, so check_pkce refuses"),
]


@pytest.mark.parametrize(("name", "value", "read", "why"), ODD_MEMBERS)
def test_an_odd_member_that_does_not_decide_is_passed_over(name: str, value: Any, read: Any, why: str) -> None:
    found = parse_server_metadata(reply({**GOOD, name: value}), ISSUER)
    assert getattr(found, name) == read, why
    assert [text.partition(" ")[0] for text in found.passed_over] == [name], why
    assert found.token_endpoint == GOOD["token_endpoint"]


@pytest.mark.parametrize(
    ("value", "read"), [("true", True), ("True", True), ("false", False), (True, True), (None, False)]
)
def test_a_flag_may_be_a_text(value: Any, read: bool) -> None:
    document = {**GOOD, "authorization_response_iss_parameter_supported": value}
    assert parse_server_metadata(reply(document), ISSUER).iss_parameter_supported is read


def test_a_list_that_decides_is_right_or_refused() -> None:
    assert parse_words({}, "algorithms") is None
    assert parse_words({"algorithms": ["ES256"]}, "algorithms") == ("ES256",)
    for odd in ("ES256", ["ES256", None], {}, ["x"] * 1_001):
        with pytest.raises(UpstreamUnreadable, match="algorithms is not a list of strings"):
            parse_words({"algorithms": odd}, "algorithms")


def test_an_empty_authorization_endpoint_is_none() -> None:
    assert parse_server_metadata(reply({**GOOD, "authorization_endpoint": ""}), ISSUER).authorization_endpoint is None


ODD_RESOURCE_MEMBERS: list[tuple[str, Any, Any, str]] = [
    ("scopes_supported", "mcp:read mcp:write", ("mcp:read", "mcp:write"), "scopes as they stand in a request"),
    ("scopes_supported", ["a", None], ("a",), "a null among them"),
    ("scopes_supported", {}, (), "an object"),
    ("scopes_supported", 7, (), "a number"),
    ("authorization_servers", ISSUER, (ISSUER,), "one in the place of a list"),
    ("authorization_servers", [None, ISSUER], (ISSUER,), "a null among them"),
]


@pytest.mark.parametrize(("name", "value", "read", "why"), ODD_RESOURCE_MEMBERS)
def test_an_odd_member_of_a_resource_is_passed_over(name: str, value: Any, read: Any, why: str) -> None:
    document = {"resource": SERVER, "authorization_servers": [ISSUER], name: value}
    found = parse_resource_metadata(reply(document), SERVER)
    assert getattr(found, name) == read, why
    assert [text.partition(" ")[0] for text in found.passed_over] == [name], why
    assert (found.resource, found.authorization_servers) == (SERVER, (ISSUER,))


@pytest.mark.parametrize("value", [7, {}, "", True, [None], [{"issuer": ISSUER}]])
def test_servers_that_are_named_badly_are_not_unnamed(value: Any) -> None:
    with pytest.raises(UpstreamUnreadable, match="authorization_servers"):
        parse_resource_metadata(reply({"resource": SERVER, "authorization_servers": value}), SERVER)


@pytest.mark.parametrize(
    ("body", "absent", "why"),
    [
        (b"", True, "nothing"),
        (b" <!doctype html><p>app", True, "a page for every path"),
        (b"Not Found", True, "a text"),
        (b'{"detail": "Not Found"}', True, "another kind of answer"),
        (b"{}", True, "an object without any member of such a document"),
        (b"[]", False, "JSON, and somebody meant it"),
        (b"null", False, "the same"),
        (b'{"issuer": ', False, "cut short"),
        (b"<html>", True, "a page"),
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_page_is_no_document(body: bytes, absent: bool, why: str, kind: str) -> None:
    parses = (lambda each: parse_server_metadata(each, ISSUER), lambda each: parse_resource_metadata(each, SERVER))
    meant = not absent or (kind == "application/json" and body in {b"<html>", b"Not Found", b" <!doctype html><p>app"})
    for parse in parses:
        with pytest.raises(UpstreamUnreadable) as caught:
            parse(reply(body, kind=kind))
        assert isinstance(caught.value, NoDocument) is not meant, why


@pytest.mark.parametrize("name", [name for name in GOOD if name not in {"issuer", "token_endpoint"}])
def test_null_means_absent(name: str) -> None:
    assert parse_server_metadata(reply({**GOOD, name: None}), ISSUER).issuer == ISSUER


def test_http_only_where_private_networks_are_allowed() -> None:
    document = {**GOOD, "token_endpoint": "http://127.0.0.1:9/token"}
    assert parse_server_metadata(reply(document), ISSUER, allow_http=True).token_endpoint == document["token_endpoint"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>not found</html>", "not JSON but 'text/html'"),
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"issuer": ' + b"9" * 10_000 + b"}", "not JSON"),
    ],
)
def test_garbage_is_unreadable(body: bytes, said: str) -> None:
    with pytest.raises(UpstreamUnreadable, match=said):
        parse_server_metadata(reply(body, kind="text/html; charset=utf-8"), ISSUER)


def test_only_200_counts() -> None:
    with pytest.raises(UpstreamUnreadable, match="HTTP 404") as caught:
        parse_server_metadata(reply(GOOD, status=404), ISSUER)
    assert caught.value.http_status == 404


@pytest.mark.parametrize(
    ("resource", "document_url"),
    [
        (SERVER, f"{ROOT}/a/mcp"),
        (SERVER, "https://elsewhere.example/metadata"),
        (f"{SERVER}/", f"{ROOT}/a/mcp"),
        ("https://MCP.example:443/a/mcp", f"{ROOT}/a/mcp"),
        ("https://mcp.example", ROOT),
        ("https://mcp.example/", ROOT),
        ("https://mcp.example/a", f"{ROOT}/a"),
    ],
)
def test_a_resource_that_speaks_for_the_server(resource: str, document_url: str) -> None:
    document = {"resource": resource, "authorization_servers": [ISSUER], "scopes_supported": ["x"]}
    found = parse_resource_metadata(reply(document, url=document_url), SERVER)
    assert (found.resource, found.authorization_servers, found.scopes_supported) == (resource, (ISSUER,), ("x",))


@pytest.mark.parametrize(
    ("resource", "document_url"),
    [
        ("https://other.example/a/mcp", f"{ROOT}/a/mcp"),
        ("https://mcp.example/other", ROOT),
        ("https://mcp.example/a/mc", ROOT),
        ("https://mcp.example/a/mcp/deeper", ROOT),
        ("https://mcp.example", f"{ROOT}/a/mcp"),
        ("https://mcp.example", "https://evil.example/.well-known/oauth-protected-resource"),
        ("https://mcp.example:8443", ROOT),
        ("https://mcp.example/a/mcp?tenant=2", ROOT),
    ],
)
def test_a_resource_that_does_not(resource: str, document_url: str) -> None:
    with pytest.raises(DiscoveryFailed) as caught:
        parse_resource_metadata(reply({"resource": resource}, url=document_url), SERVER)
    assert SERVER in caught.value.detail
    assert resource.partition("?")[0] in caught.value.detail


@pytest.mark.parametrize("resource", [None, 7, "mcp", "javascript:1", f"{SERVER}#x"])
def test_a_resource_of_the_wrong_kind(resource: Any) -> None:
    with pytest.raises(UpstreamError):
        parse_resource_metadata(reply({"resource": resource}, url=ROOT), SERVER)


def test_settings_that_say_enough() -> None:
    authorize, token = "https://as.example/authorize", "https://as.example/token"
    assert build_metadata_from_settings(OAuthConfig()) is None
    assert build_metadata_from_settings(OAuthConfig(token_url=token)) is None
    assert build_metadata_from_settings(OAuthConfig(authorization_url=authorize)) is None
    stated = build_metadata_from_settings(OAuthConfig(authorization_url=authorize, token_url=token, issuer=ISSUER))
    assert stated == ServerMetadata(ISSUER, authorize, token)
    alone = build_metadata_from_settings(OAuthConfig(grant_type="client_credentials", token_url=token))
    assert alone == ServerMetadata(None, None, token)


def test_settings_win_over_what_was_found() -> None:
    found = parse_server_metadata(reply(GOOD), ISSUER)
    assert apply_settings(found, OAuthConfig()) == found
    mended = apply_settings(found, OAuthConfig(token_url="https://other.example/token"))
    assert mended.token_endpoint == "https://other.example/token"
    assert mended.authorization_endpoint == found.authorization_endpoint


@pytest.mark.parametrize("methods", [None, (), ("plain",), ("s256",)])
def test_pkce_is_required(methods: tuple[str, ...] | None) -> None:
    metadata = ServerMetadata(
        ISSUER, None, "https://as.example/token", source="x", code_challenge_methods_supported=methods
    )
    with pytest.raises(PkceUnsupported, match=ISSUER):
        check_pkce(metadata)
    check_pkce(metadata, assume=True)


def test_pkce_offered_or_not_knowable() -> None:
    offered = ServerMetadata(ISSUER, None, "https://t", source="x", code_challenge_methods_supported=("plain", "S256"))
    check_pkce(offered)
    check_pkce(ServerMetadata(None, None, "https://t"))


@pytest.mark.parametrize("server_url", ["not a url", "https://mcp.example:99999/mcp"])
def test_nothing_speaks_for_an_address_that_is_none(server_url):
    document = {"resource": "https://mcp.example/mcp", "authorization_servers": ["https://as.example"]}
    reply = Reply("https://mcp.example/.well-known/oauth-protected-resource", 200, {}, json.dumps(document).encode())
    with pytest.raises(DiscoveryFailed, match="speaks for"):
        parse_resource_metadata(reply, server_url)
