"""A short answer is one packet; a head that nothing follows yet does not wait for it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from latchpin.serving.heads import HeadFirst
from latchpin.serving.listening import ServerConfig
from starlette.types import Receive, Scope, Send

from tests.servers.processes import serve_asgi

WAIT = 60


class Wire(asyncio.Transport):
    """Notes what is written, what is written together in one."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


@dataclass
class Told:
    """What uvicorn knows of an answer: as the default, that it is a stream."""

    chunked_encoding: bool | None = True


@pytest.fixture
async def answer(wire: Wire) -> HeadFirst:
    return HeadFirst(wire, asyncio.get_running_loop(), Told())


@pytest.fixture
async def short(wire: Wire) -> HeadFirst:
    """An answer that says how long it is."""
    return HeadFirst(wire, asyncio.get_running_loop(), Told(chunked_encoding=False))


async def test_the_head_goes_out_with_what_follows(wire: Wire, answer: HeadFirst):
    answer.write(b"head")
    assert wire.sent == []
    answer.write(b"body")
    assert wire.sent == [b"headbody"]
    answer.write(b"more")
    await asyncio.sleep(0)
    assert wire.sent == [b"headbody", b"more"]


async def test_it_waits_no_longer_than_until_the_next_round(wire: Wire, answer: HeadFirst):
    answer.write(b"head")
    await asyncio.sleep(0)
    assert wire.sent == [b"head"]
    answer.write(b"event")
    assert wire.sent == [b"head", b"event"]


async def test_a_head_that_says_how_long_the_answer_is_waits_for_it(wire: Wire, short: HeadFirst):
    short.write(b"head")
    await asyncio.sleep(0)
    assert wire.sent == []
    short.write(b"body")
    assert wire.sent == [b"headbody"]


async def test_it_goes_out_where_the_answer_ends_with_it(wire: Wire, short: HeadFirst):
    short.write(b"head")
    short.write(b"")
    assert wire.sent == [b"head"]


async def test_a_head_that_nothing_follows_goes_out_before_the_end(wire: Wire, answer: HeadFirst):
    answer.write(b"head")
    answer.close()
    assert (wire.sent, wire.closed) == ([b"head"], True)


async def test_who_has_hung_up_is_told_nothing(wire: Wire, answer: HeadFirst):
    answer.write(b"head")
    wire.close()
    await asyncio.sleep(0)
    assert wire.sent == []


async def test_nor_is_a_body_written_to_them(wire: Wire, answer: HeadFirst):
    answer.write(b"head")
    wire.close()
    answer.write(b"body")
    await asyncio.sleep(0)
    assert wire.sent == []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    status = int(scope["path"][1:])
    body = b"" if status == 204 else scope["method"].encode()
    headers = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    if scope["method"] == "POST":
        await receive()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def test_answers_keep_their_order_whether_a_body_follows_or_not():
    asked = [b"HEAD /200", b"GET /204", b"GET /404", b"HEAD /404", b"GET /200"]
    requests = [line + b" HTTP/1.1\r\nhost: x\r\n" for line in asked]
    with serve_asgi(app, lifespan="off", config_class=ServerConfig) as url:
        received = talk(url, b"\r\n".join(requests) + b"connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)|\r\n\r\n(GET)", received) == [
        (b"200", b""),
        (b"204", b""),
        (b"404", b""),
        (b"", b"GET"),
        (b"404", b""),
        (b"200", b""),
        (b"", b"GET"),
    ]


def test_who_asks_whether_to_send_is_told_so_before_the_answer():
    with serve_asgi(app, lifespan="off", config_class=ServerConfig) as url:
        head = (
            b"POST /200 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
        )
        received = talk(url, head, b"{}")
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\nPOST")


class Answering:
    """Answers half of what it says, unless asked for ``/whole``, and notes what becomes of it."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"400")]})
            await send({"type": "http.response.body", "body": b"a" * 200, "more_body": True})
            while scope["path"] != "/whole" and (await receive())["type"] != "http.disconnect":
                pass
            await send({"type": "http.response.body", "body": b"a" * 200})
        except Exception as exc:
            self.failures.append(exc)
            raise
        finally:
            self.left.set()


def test_what_is_no_http_is_refused_in_place_of_an_answer_that_has_not_begun():
    answering = Answering()
    with serve_asgi(answering, lifespan="off", config_class=ServerConfig) as url:
        received = talk(url, b"GET /whole HTTP/1.1\r\nhost: x\r\n\r\nno HTTP\r\n\r\n")
        assert answering.left.wait(WAIT)
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert received.count(b"HTTP/1.1") == 1
    assert answering.failures == []


def test_an_answer_that_has_begun_has_no_refusal_in_it():
    answering = Answering()
    with serve_asgi(answering, lifespan="off", config_class=ServerConfig) as url:
        received = talk(url, b"GET /half HTTP/1.1\r\nhost: x\r\n\r\n", b"no HTTP\r\n\r\n")
        assert answering.left.wait(WAIT)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n" + b"a" * 200)
    assert answering.failures == []


def test_an_answer_ends_when_its_client_hangs_up_also_with_the_next_request_behind_it():
    answering = Answering()
    with serve_asgi(answering, lifespan="off", config_class=ServerConfig) as url:
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=WAIT) as connection:
            connection.sendall(b"GET /half HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
            assert connection.recv(1)
        assert answering.left.wait(WAIT)
    assert answering.failures == []


def talk(url: str, *parts: bytes) -> bytes:
    """Send each part once something was received for the one before, and read to the end."""
    received = b""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=WAIT) as connection:
        for part in parts:
            connection.sendall(part)
            received += connection.recv(65_536)
        while chunk := connection.recv(65_536):
            received += chunk
    return received
