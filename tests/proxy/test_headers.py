"""What must stay here stays here, in both directions."""

from __future__ import annotations

import httpx
import pytest
from latchpin.errors import InvalidRequest
from latchpin_proxy.headers import build_answer_headers, build_request_headers

from tests.proxy.conftest import ScriptedServer, read, reply
from tests.support.gateway_process import ALICE, USER_HEADER, DeployedGateway

SECRETS = {
    "Cookie": "session=secret",
    "Proxy-Authorization": "Basic secret",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Access-Token": "secret",
    "Forwarded": "for=10.0.0.1",
    "X-Real-IP": "10.0.0.1",
    "Via": "1.1 somebody",
    "CF-Connecting-IP": "10.0.0.1",
    "X-Original-URL": "/admin",
    "Referer": "https://gateway.example/secret",
    "Sec-Fetch-Mode": "cors",
    "TE": "trailers",
    "Keep-Alive": "timeout=5",
    "Upgrade": "h2c",
    "X-Named": "secret",
    "Connection": "X-Named",
    USER_HEADER: ALICE,
}
PASSED = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "add",
    "Last-Event-ID": "17",
    "X-Custom": "a value",
    "User-Agent": "a client",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


async def test_what_the_server_is_told(
    proxy: DeployedGateway, alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer
):
    own = {"Origin": proxy.url}
    await alice.post(f"{opened}?access_token=secret", content=b"{}", headers=SECRETS | PASSED | own)
    (arrived,) = scripted.arrived
    names = {name for name, _ in arrived.headers}
    assert not names & {name.lower() for name in SECRETS} - {"connection"}
    assert not names & {"authorization", "origin"}
    assert not any("secret" in value for _, value in arrived.headers)
    for name, value in PASSED.items():
        assert arrived.all(name.lower()) == [value], name
    assert arrived.all("host") == [scripted.origin.removeprefix("http://")]
    assert arrived.query == ""


async def test_what_the_caller_is_told(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer):
    stays = {
        "set-cookie": "upstream=1",
        "www-authenticate": 'Bearer resource_metadata="https://upstream.example"',
        "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1",
        "clear-site-data": '"*"',
        "content-security-policy": "default-src *",
        "location": "https://elsewhere.example/",
        "x-named": "1",
        "connection": "x-named",
    }
    passes = {"content-type": "application/json", "x-custom": "1", "cache-control": "a"}

    async def script(_scope, receive, send):
        await read(receive)
        await reply(send, 200, [*stays.items(), *passes.items()], b"{}")

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert not set(answer.headers) & set(stays) - {"content-security-policy", "connection"}
    assert {name: answer.headers[name] for name in passes} == passes
    assert answer.headers.get_list("date", split_commas=False).__len__() == 1


OF_A_FRONT_PROXY = [
    "x-amzn-oidc-data",
    "x-amzn-oidc-accesstoken",
    "x-goog-iap-jwt-assertion",
    "x-goog-authenticated-user-email",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "x-ms-token-aad-id-token",
    "remote-user",
    "remote_user",
    "remote-groups",
    "x-remote-user",
    "x-user",
    "x-authentik-email",
    "x-pomerium-jwt-assertion",
    "tailscale-user-login",
    "cf-access-jwt-assertion",
    "teleport-jwt-assertion",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x_forwarded_for",
    "x-envoy-original-path",
]
OF_A_PAGE = ["x-csrf-token", "x-csrftoken", "x-xsrf-token", "sec-websocket-key", "http2-settings", "sec-purpose"]
ANOTHER_REQUEST = ["x-rewrite-url", "x-original-url", "x-http-method", "x-http-method-override", "x-method-override"]


@pytest.mark.parametrize("name", OF_A_FRONT_PROXY + OF_A_PAGE + ANOTHER_REQUEST)
def test_what_others_would_believe_stays_here(name: str):
    assert [found for found, _ in build_request_headers([(name.encode(), b"of-mallory")])] == ["accept-encoding"]


@pytest.mark.parametrize("name", ["x-api-key", "x-custom", "x-request-id", "mcp-param-region", "traceparent"])
def test_what_is_for_the_server_passes(name: str):
    assert (name, "a") in build_request_headers([(name.encode(), b"a")])


OBEYED_IN_FRONT = [
    "x-accel-redirect",
    "x-accel-limit-rate",
    "x-accel-expires",
    "x_accel_redirect",
    "x-sendfile",
    "x-sendfile-type",
    "x-lighttpd-send-file",
    "x-litespeed-location",
    "x-reproxy-url",
    "surrogate-control",
    "cdn-cache-control",
]
ANOTHER_PROTOCOL = ["upgrade", "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions", "alt-svc"]
OBEYED_BY_BROWSERS = ["x-frame-options", "permissions-policy", "set-login", "sourcemap", "accept-ch", "location"]


@pytest.mark.parametrize("name", OBEYED_IN_FRONT + ANOTHER_PROTOCOL + OBEYED_BY_BROWSERS)
def test_what_a_server_must_not_decide_stays_there(name: str):
    assert build_answer_headers([(name.encode(), b"/etc/passwd")]) == []


@pytest.mark.parametrize(("kind", "ours"), [(b"text/event-stream; charset=utf-8", [b"no"]), (b"application/json", [])])
def test_streams_alone_ask_a_proxy_in_front_not_to_collect(kind: bytes, ours: list[bytes]):
    told = build_answer_headers([(b"content-type", kind), (b"x-accel-buffering", b"yes")])
    assert [value for name, value in told if name == b"x-accel-buffering"] == ours


CACHED = [
    ("public, max-age=60", True, None),
    ("Public", True, None),
    ("max-age=60, s-maxage=60", True, None),
    ("private, max-age=60", True, "private, max-age=60"),
    ("no-cache", True, "no-cache"),
    ("public, max-age=60", False, "public, max-age=60"),
]


@pytest.mark.parametrize(("said", "private", "passed"), CACHED)
def test_an_answer_for_one_person_is_for_no_shared_cache(said: str, private: bool, passed: str | None):
    told = build_answer_headers([(b"cache-control", said.encode()), (b"expires", b"0")], private=private)
    assert dict(told).get(b"cache-control") == (None if passed is None else passed.encode())


@pytest.mark.parametrize(("status", "kept"), [(200, True), (204, False), (304, False)])
def test_a_length_goes_along_only_where_a_body_does(status: int, kept: bool):
    assert bool(build_answer_headers([(b"content-length", b"2")], status=status)) is kept


def test_connection_cannot_take_the_framing_off():
    received = [(b"connection", b"content-length, x-a"), (b"content-length", b"3"), (b"x-a", b"1")]
    assert build_answer_headers(received) == [(b"content-length", b"3")]
    assert ("content-length", "3") in build_request_headers(received, keep_length=True)


def test_a_streamed_body_has_the_length_that_framed_it_here_and_no_other():
    received = [(b"content-length", b"3"), (b"content_length", b"1")]
    passed = build_request_headers(received, keep_length=True)
    assert [field for field in passed if "length" in field[0]] == [("content-length", "3")]


def test_text_that_is_not_utf8_is_refused():
    assert ("x-name", "Zoë") in build_request_headers([(b"x-name", "Zoë".encode())])
    with pytest.raises(InvalidRequest, match="x-name"):
        build_request_headers([(b"x-name", b"Zo\xeb")])
