"""A POST that is passed on whole: what arrives, what comes back, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from latchpin.outbound import connections
from latchpin.outbound.addresses import refusal
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.failure import Failure
from latchpin.outbound.http import GuardedSession, open_session
from latchpin.outbound.messages import Answer, Outgoing

from tests.http.test_hostile import CHUNKED, Rebinding, dripping, flooding
from tests.support.http_servers import RawServer, Write, answer, serve, write_certificate, writing

BODY = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
JSON = (("content-type", "application/json"), ("accept-encoding", "identity"))


def outgoing(
    url: str,
    *headers: tuple[str, str],
    body: bytes = BODY,
    deadline: float | None = None,
    budget: ByteBudget | None = None,
) -> Outgoing:
    return Outgoing("POST", url, (*JSON, *headers), body, deadline, budget or ByteBudget(sys.maxsize), raw=True)


async def read(answer: Answer) -> bytes:
    try:
        return b"".join([piece async for piece in answer])
    finally:
        answer.close()


async def post(
    write: Write, *headers: tuple[str, str], close: bool = False, path: str = "/mcp"
) -> tuple[Answer, bytes]:
    async with serve(write, close=close) as server, open_session(allow_private_networks=True) as session:
        found = await session.send(outgoing(server.url + path, *headers))
        return found, await read(found)


@pytest.fixture
async def session() -> AsyncIterator[GuardedSession]:
    async with open_session(allow_private_networks=True) as opened:
        yield opened


@asynccontextmanager
async def answering(*replies: bytes) -> AsyncIterator[RawServer]:
    async with serve(writing(*replies)) as server:
        yield server


async def test_what_arrives_is_one_request_as_it_was_meant(session: GuardedSession):
    async with answering(answer()) as server:
        fields = (("x-one", "1"), ("x-one", "2"), ("Host", "evil.example"), ("Content-Length", "3"))
        hops = (("transfer-encoding", "chunked"), ("connection", "upgrade"))
        await read(await session.send(outgoing(f"{server.url}/mcp?key=%20v#part", *fields, *hops)))
        await read(await session.send(outgoing(server.url, ("accept", "text/plain"), body=b"")))
        await read(await session.send(outgoing(f"{server.url}/\u00e4%2F", ("x-text", "\u00e4"))))
    first, second, third = [request.partition(b"\r\n\r\n") for request in server.requests]
    host = f"host: 127.0.0.1:{server.port}".encode()
    lines = first[0].split(b"\r\n")
    assert lines[0] == b"POST /mcp?key=%20v HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:]) == sorted(
        [
            host,
            b"content-type: application/json",
            b"accept-encoding: identity",
            b"x-one: 1",
            b"x-one: 2",
            b"content-length: %d" % len(BODY),
            b"accept: */*",
        ]
    )
    assert first[2] == BODY
    assert second[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"content-length: 0" in second[0].lower()
    assert second[0].lower().count(b"accept:") == 1
    assert "x-text: \u00e4".encode() in third[0]


@pytest.mark.parametrize("bad", ["a\r\nx-smuggled: 1", "a\nb", "a\rb", "a\0b", "\r\n"])
@pytest.mark.parametrize("where", ["value", "name"])
async def test_nothing_ends_its_line(session: GuardedSession, bad: str, where: str):
    async with answering(answer()) as server:
        with pytest.raises(Failure) as caught:
            await session.send(outgoing(server.url, ("x-bad", bad) if where == "value" else (f"x{bad}", "a")))
    assert not caught.value.sent
    assert server.requests == []


async def test_a_line_end_in_a_url_ends_no_line(session: GuardedSession):
    async with answering(answer()) as server:
        await read(await session.send(outgoing(f"{server.url}/a\r\nx-smuggled: 1")))
        with pytest.raises(Failure):
            await session.send(outgoing(f"{server.url}/a\0b"))
    [request] = server.requests
    assert b"\nx-smuggled" not in request


@pytest.mark.parametrize("body", [b"whole", b""])
async def test_an_answer_that_came_with_its_head_is_at_hand(session: GuardedSession, body: bytes):
    async with answering(answer(body)) as server:
        found = await session.send(outgoing(server.url))
        assert found.at_hand() == body
        found.close()
        await read(await session.send(outgoing(server.url)))
    assert len(server.connections) == 1


async def test_what_is_still_to_come_is_not(session: GuardedSession):
    async with serve(writing(answer(b"ha", length=4)), close=True) as server:
        found = await session.send(outgoing(server.url))
        assert found.at_hand() is None
        with pytest.raises(Failure):
            await read(found)


async def test_nor_is_what_has_to_be_decoded(session: GuardedSession):
    async with answering(answer(b"whole")) as server:
        found = await session.send(replace(outgoing(server.url), raw=False))
        assert found.at_hand() is None
        assert await read(found) == b"whole"


async def test_interim_answers_are_passed_over():
    found, body = await post(writing(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"last")))
    assert (found.status, body) == (200, b"last")


@pytest.mark.parametrize("status", ["101 Switching Protocols", "999 Denied"])
async def test_a_status_that_no_answer_has_is_none(status: str):
    with pytest.raises(Failure, match="which no answer has"):
        await post(writing(answer(status=status)))


async def test_the_body_comes_as_it_is_and_however_it_is_framed():
    coded = answer(b"\x1f\x8bno gzip", "Content-Encoding: gzip")
    assert (await post(writing(coded)))[1] == b"\x1f\x8bno gzip"
    assert (await post(writing(CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n")))[1] == b"abc"
    assert (await post(writing(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"), close=True))[1] == b"until the end"
    assert (await post(writing(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")))[1] == b""


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (flooding(b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 5_000), "undecodable"),
        (flooding(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"y" * 500 + b"\r\n"), "undecodable"),
        (writing(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "undecodable"),
        (writing(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"), "undecodable"),
        (writing(b""), "broken"),
        (writing(answer(b"{}", length=500)), "broken"),
    ],
    ids=["long field", "header flood", "not HTTP", "bad length", "nothing", "cut short"],
)
async def test_what_is_no_answer_is_a_failure(write: Write, kind: str):
    with pytest.raises(Failure) as caught:
        await post(write, close=True)
    assert (caught.value.kind, caught.value.sent) == (kind, True)


async def test_a_drip_ends_at_the_deadline(session: GuardedSession):
    async with serve(dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")) as server:
        with pytest.raises(Failure) as caught:
            await session.send(outgoing(server.url, deadline=asyncio.get_running_loop().time() + 0.2))
    assert (caught.value.kind, caught.value.sent) == ("timeout", True)


async def test_who_may_not_be_asked_is_told_nothing():
    async with answering(answer()) as server, open_session() as guarded:
        with pytest.raises(Failure) as caught:
            await guarded.send(outgoing(f"https://127.0.0.1:{server.port}/"))
    assert (caught.value.kind, caught.value.sent, server.connections) == ("address", False, [])


async def test_the_address_that_was_checked_is_the_one_connected_to_over_tls(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(connections, "refusal", lambda address: None if address == "127.0.0.1" else refusal(address))
    file, tls = write_certificate(tmp_path, "rebind.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serve(writing(answer(b"public")), host="0.0.0.0", tls=tls) as server:
        url = f"https://rebind.example:{server.port}/"
        async with open_session(resolver=Rebinding("127.0.0.1")) as guarded:
            assert await read(await guarded.send(outgoing(url))) == b"public"
        async with open_session(resolver=Rebinding("127.0.0.2")) as guarded:
            with pytest.raises(Failure, match=r"127\.0\.0\.2 is loopback"):
                await guarded.send(outgoing(url))
    assert server.connections == ["127.0.0.1"]


async def test_one_connection_serves_one_after_the_other(session: GuardedSession):
    async with answering(answer()) as server:
        for _ in range(3):
            await read(await session.send(outgoing(server.url)))
    assert len(server.connections) == 1


async def test_a_connection_with_an_answer_that_was_not_read_serves_nobody_else(session: GuardedSession):
    async with answering(answer(b"x" * 9, length=10), answer(b"mine")) as server:
        first = await session.send(outgoing(server.url))
        first.close()
        assert await read(await session.send(outgoing(server.url))) == b"mine"
    assert len(server.connections) == 2


async def test_a_second_answer_that_nobody_asked_for_is_nobodys(session: GuardedSession):
    async with answering(answer(b"first") + answer(b"smuggled"), answer(b"second")) as server:
        assert await read(await session.send(outgoing(server.url))) == b"first"
        assert await read(await session.send(outgoing(server.url))) == b"second"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_answer_that_comes_while_nobody_asks_is_nobodys(session: GuardedSession, method: str):
    """Else it were the next caller's, whose own answer were the one's after them."""
    writers: list[asyncio.StreamWriter] = []

    async def reply(writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(answer(b"answer %d" % len(writers)))

    async with serve(reply) as server:
        assert await read(await session.send(outgoing(server.url))) == b"answer 1"
        writers[0].write(answer(b"smuggled"))
        [[(kept, _)]] = session._pooled.connector._conns.values()
        async with asyncio.timeout(60):
            while not kept.should_close:  # noqa: ASYNC110  nothing says when it has come
                await asyncio.sleep(0)
        for number in (2, 3):
            found = await session.send(replace(outgoing(server.url, body=b""), method=method))
            assert await read(found) == b"answer %d" % number
    assert len(server.connections) == 2


async def test_a_connection_on_which_a_body_is_still_under_way_serves_nobody_else(session: GuardedSession):
    """The server answers before it has read; what is left of the body must not be taken for a request."""
    accepted = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"too large", status="413 Content Too Large"))
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        async with asyncio.timeout(60):
            for _ in range(2):
                found = await session.send(outgoing(url, body=b"x" * 16_000_000))
                assert (found.status, await read(found)) == (413, b"too large")
        assert accepted == 2
    finally:
        over.set()
        server.close()


async def test_a_caller_who_goes_takes_the_connection_along(session: GuardedSession):
    asked = asyncio.Event()

    async def never(_writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with serve(never) as server:
        asking = asyncio.create_task(session.send(outgoing(server.url)))
        async with asyncio.timeout(60):
            await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not session._pooled.connector._acquired
