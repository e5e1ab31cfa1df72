"""What must stay here stays here, in both directions."""

from __future__ import annotations

import httpx
import pytest
from latchpin.errors import InvalidRequest
from latchpin_proxy.headers import build_answer_headers, build_request_headers

from tests.flow.rig import ALICE, USER_HEADER, Rig
from tests.proxy.scripted import ScriptedServer, read, reply

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
    "Mcp-Session-Id": "a-session",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "add",
    "Last-Event-ID": "17",
    "X-Custom": "a value",
    "User-Agent": "a client",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


async def test_what_the_server_is_told(proxy: Rig, alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer):
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
    passes = {"content-type": "application/json", "mcp-session-id": "a-session", "x-custom": "1", "cache-control": "a"}

    async def script(_scope, receive, send):
        await read(receive)
        await reply(send, 200, [*stays.items(), *passes.items()], b"{}")

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert not set(answer.headers) & set(stays) - {"content-security-policy", "connection"}
    assert {name: answer.headers[name] for name in passes} == passes
    assert answer.headers.get_list("date", split_commas=False).__len__() == 1


def test_connection_cannot_take_the_framing_off():
    received = [(b"connection", b"content-length, x-a"), (b"content-length", b"3"), (b"x-a", b"1")]
    assert build_answer_headers(received) == [(b"content-length", b"3")]
    assert ("content-length", "3") in build_request_headers(received, keep_length=True)


def test_text_that_is_not_utf8_is_refused():
    assert ("x-name", "Zoë") in build_request_headers([(b"x-name", "Zoë".encode())])
    with pytest.raises(InvalidRequest, match="x-name"):
        build_request_headers([(b"x-name", b"Zo\xeb")])
