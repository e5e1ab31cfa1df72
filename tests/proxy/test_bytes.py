"""Bodies pass byte for byte, in both directions, however they are framed, and above the guard's limit."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import random
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.proxy.conftest import ScriptedServer, begin, read, reply
from tests.support.gateway_process import DeployedGateway
from tests.support.http_servers import answer, serve, writing

HELD = 65_536
SIZES = [0, 1, HELD - 1, HELD, HELD + 1, 1_048_577, 5_000_000]


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    cuts = random.Random(len(body))
    while body:
        size = cuts.randint(1, 100_000)
        yield body[:size]
        body = body[size:]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True])
async def test_requests(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer, size: int, chunked: bool):
    body = random.Random(size).randbytes(size)
    answer = await alice.post(opened, content=pieces(body) if chunked else body)
    assert answer.text == hashlib.sha256(body).hexdigest()
    (arrived,) = scripted.arrived
    if not chunked:
        assert arrived.all("content-length") == [str(size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True])
async def test_answers(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer, size: int, chunked: bool):
    body = random.Random(size).randbytes(size)

    async def script(_scope, receive, send):
        await read(receive)
        if not chunked:
            await reply(send, 200, [], body)
            return
        await begin(send, 200, [])
        async for piece in pieces(body):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    scripted.script = script
    answer = await alice.get(opened)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(body).digest()
    assert answer.headers.get("content-length") == (None if chunked else str(size))


@pytest.mark.parametrize(
    ("asked", "passed"), [("gzip", "gzip"), ("gzip;q=1, br, zstd", "gzip;q=1"), ("br", "identity"), (None, "identity")]
)
async def test_an_encoded_answer_passes_as_it_is(alice, opened: str, scripted, asked: str | None, passed: str):
    """Unless it is MCP; encodings that the gateway could not look into are not asked for."""
    encoded = gzip.compress(b"a" * 10_000, mtime=0)

    async def script(_scope, receive, send):
        await read(receive)
        await reply(send, 200, [("content-encoding", "gzip")], encoded)

    scripted.script = script
    del alice.headers["accept-encoding"]
    headers = {"accept-encoding": asked} if asked else {}
    async with alice.stream("GET", opened, headers=headers) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert raw == encoded
    assert answer.headers["content-encoding"] == "gzip"
    assert scripted.arrived[0].all("accept-encoding") == [passed]


async def test_a_body_over_the_limit_is_refused_while_it_comes(alice: httpx.AsyncClient, opened: str):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 500_000_000:
            sent += 1_000_000
            yield b"a" * 1_000_000

    with contextlib.suppress(httpx.TransportError):  # not every client reads an answer that comes while it sends
        assert (await alice.post(opened, content=endless())).status_code == 413
    assert 50_000_000 <= sent < 100_000_000


@pytest.mark.parametrize("status", [200, 202, 204, 400, 404, 406, 429, 500, 503])
async def test_statuses_pass(alice: httpx.AsyncClient, opened: str, scripted: ScriptedServer, status: int):
    async def script(_scope, receive, send):
        await read(receive)
        await reply(send, status, [("retry-after", "7")], b"" if status == 204 else b"said")

    scripted.script = script
    answer = await alice.post(opened, content=b"{}")
    assert (answer.status_code, answer.text) == (status, "" if status == 204 else "said")
    assert answer.headers["retry-after"] == "7"


NO_ANSWERS = ["101 Switching Protocols", "000 None", "600 Beyond", "999 Denied", "199 Interim", "100 Continue"]


@pytest.mark.parametrize("status", NO_ANSWERS)
async def test_what_is_no_answer_does_not_pass(proxy: DeployedGateway, alice: httpx.AsyncClient, status: str):
    """A front proxy would take a 101 for the opening of a tunnel to this gateway."""
    opening = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    async with serve(writing(answer(b"hello", *opening, status=status)), close=True) as wire:
        gateway = await proxy.add(f"{wire.url}/mcp", auth_type="none")
        refused = await alice.post(f"/gateways/{gateway}/mcp", content=b"{}")
    assert refused.status_code == 502
    assert refused.headers["content-type"] == "application/problem+json"
    assert not {"upgrade", "sec-websocket-accept"} & set(refused.headers)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_length_without_a_body_breaks_nothing(proxy: DeployedGateway, alice: httpx.AsyncClient, status: str):
    async with serve(writing(answer(b"", status=status, length=5))) as wire:
        gateway = await proxy.add(f"{wire.url}/mcp", auth_type="none")
        passed = await alice.post(f"/gateways/{gateway}/mcp", content=b"{}")
    assert (passed.status_code, passed.content) == (int(status[:3]), b"")


async def test_the_guard_still_limits_other_routes(proxy: DeployedGateway, alice: httpx.AsyncClient):
    answer = await alice.post("/gateways", content=b"a" * 1_048_577)
    assert answer.status_code == 413
