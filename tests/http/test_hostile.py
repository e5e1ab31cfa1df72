"""Servers that mean harm: each is cut off in time and in size, and named."""

from __future__ import annotations

import asyncio
import gzip
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from latchpin.errors import AddressRefused, UpstreamTimeout, UpstreamUnreachable, UpstreamUnreadable
from latchpin.outbound import connections
from latchpin.outbound.addresses import refusal
from latchpin.outbound.upstream import open_upstream

from tests.support.http_servers import Write, answer, no_pause, serve, settings, write_certificate, writing


async def fetch(write: Write, *, within: float = 60, size: int = 1_000_000, close: bool = False) -> Any:
    async with serve(write, close=close) as wire, open_upstream(settings(), size=size) as upstream:
        upstream.timeout = within
        return await upstream.get(f"{wire.url}/metadata?code=secret")


def dripping(head: bytes, piece: bytes = b"x") -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    return write


def flooding(head: bytes, piece: bytes) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return write


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "write",
    [
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(CHUNKED + b"\r\n", b"1\r\nx\r\n"),
        dripping(CHUNKED + b"Content-Encoding: gzip\r\n\r\n" + b"a\r\n" + gzip.compress(b"")[:10] + b"\r\n", b""),
    ],
    ids=["body", "header", "interim answers", "chunks", "silence"],
)
async def test_a_drip_ends_at_the_deadline(write: Write) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(UpstreamTimeout, match=r"127\.0\.0\.1:\d+: no whole answer in time") as caught:
        await fetch(write, within=0.5)
    assert loop.time() - begun < 30  # and not after the whole body, which would take longer still
    assert caught.value.sent
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        writing(answer(b"x" * 5_001)),
        writing(answer(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip")),
        flooding(CHUNKED + b"\r\n", b"ff\r\n" + b"x" * 255 + b"\r\n"),
        flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000),
    ],
    ids=["large", "bomb", "endless chunks", "endless body"],
)
async def test_too_much_is_cut_off(write: Write) -> None:
    with pytest.raises(UpstreamUnreadable, match="larger than 5,000 bytes"):
        await fetch(write, size=5_000)


async def test_a_body_at_the_limit_is_fine() -> None:
    assert len((await fetch(writing(answer(b"x" * 5_000)), size=5_000)).body) == 5_000


@pytest.mark.parametrize(
    "write",
    [
        flooding(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"y" * 500 + b"\r\n"),
        flooding(b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 5_000),
        flooding(b"", b"z" * 5_000),
        writing(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        writing(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"),
        writing(answer(b"\x0b\x00\x80{}\x03", "Content-Encoding: br")),
        writing(answer(b"<html>", "Content-Encoding: gzip")),
    ],
    ids=["header flood", "long header", "long status", "not HTTP", "bad length", "br", "false gzip"],
)
async def test_what_is_not_http_is_unreadable(write: Write) -> None:
    with pytest.raises(UpstreamUnreadable):
        await fetch(write)


async def test_a_body_cut_short_is_not_taken_for_whole() -> None:
    with pytest.raises(UpstreamUnreachable, match="ended too early") as caught:
        await fetch(writing(answer(b'{"issuer": 1}', length=500)), close=True)
    assert caught.value.sent


async def test_a_header_that_is_no_text_does_no_harm() -> None:
    reply = await fetch(writing(b"HTTP/1.1 200 OK\r\nX-Odd: \xff\xc3\x28\r\nContent-Length: 2\r\n\r\n{}"))
    assert reply.body == b"{}"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{}/",
        "https://[::ffff:127.0.0.1]:{}/",
        "https://localhost:{}/",
        "https://0.0.0.0:{}/",
        "http://127.0.0.1:{}/",
        "http://example.com/",
    ],
)
async def test_private_addresses_are_refused_before_connecting(url: str) -> None:
    async with serve(writing(answer())) as wire, open_upstream(settings(private=False, retries=3)) as upstream:
        with pytest.raises(AddressRefused):
            await upstream.send("POST", url.format(wire.port), body=b"client_secret=x")
    assert wire.connections == []


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",
        "https://127.1/",
        "https://0x7f.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///x",
        "https://example.com:99999/",
        "https://user:hunter2@example.com/",
        "https://exa mple.com/",
        "nonsense",
        "",
        "https://example.com:0/",
    ],
)
async def test_urls_that_are_not_plain_are_refused(url: str) -> None:
    async with open_upstream(settings(private=False), sleep=no_pause) as upstream:
        with pytest.raises(UpstreamUnreachable) as caught:
            await upstream.get(url)
    assert not caught.value.sent
    assert "hunter2" not in str(caught.value)


class Rebinding(AbstractResolver):
    """Gives another address each time it is asked."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        pass


async def test_the_address_that_was_checked_is_the_one_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is fine at first and leads inside later: here 127.0.0.1 plays the public address."""
    monkeypatch.setattr(connections, "refusal", lambda address: None if address == "127.0.0.1" else refusal(address))
    file, tls = write_certificate(tmp_path, "rebind.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names = Rebinding("127.0.0.1", "127.0.0.2")
    async with (
        serve(writing(answer(b"public")), host="0.0.0.0", tls=tls, close=True) as wire,
        open_upstream(settings(private=False, retries=2), resolver=names, sleep=no_pause) as upstream,
    ):
        url = f"https://rebind.example:{wire.port}/"
        assert (await upstream.send("POST", url)).body == b"public"
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.2 is loopback"):
            await upstream.get(url)
    assert set(wire.connections) == {"127.0.0.1"}


@pytest.mark.parametrize("status", ["101 Switching Protocols", "000 None", "600 Beyond", "999 Denied"])
async def test_a_status_that_no_answer_has_is_none(status: str) -> None:
    with pytest.raises(UpstreamUnreadable, match=f"status {status[:3]}, which no answer has"):
        await fetch(writing(answer(status=status)))
