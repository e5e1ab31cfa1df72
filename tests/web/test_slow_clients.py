"""Connections that ask nothing, requests that do not end, and more of them than there are places."""

import asyncio
import contextlib
import logging
import resource
import socket
import threading
from urllib.parse import urlsplit

import pytest
from latchpin.serving import listening
from latchpin.serving.listening import ServerConfig, fit_descriptors

from tests.servers import start_latchpin
from tests.servers.gateway import latchpin_command
from tests.servers.processes import serve_asgi

WAIT = 60
ASK = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n"


class App:
    """Answers at once; at /held never, and at /stall after having held the whole loop up."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/held":
            self.entered.release()
            while (await receive())["type"] != "http.disconnect":  # it stays busy until its client leaves
                pass
            return
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})
        if scope["path"] == "/stall":
            asyncio.get_running_loop().call_soon(self._stall)

    def _stall(self):
        self.entered.release()
        self.go_on.wait(WAIT)


class FourPlaces(ServerConfig):
    max_connections = 4


@pytest.fixture
def app():
    return App()


@pytest.fixture
def serve(app):
    with contextlib.ExitStack() as stack:

        def start(**options):
            options = {"config_class": FourPlaces, "timeout_keep_alive": 75, **options}
            url = stack.enter_context(serve_asgi(app, lifespan="off", **options))
            parts = urlsplit(url)

            def connect():
                return stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=WAIT))

            return connect

        yield start


def ask(connection, path=b"/"):
    connection.sendall(ASK % path)
    return connection.recv(65_536)


def send_for_ever(connection, data):
    while True:
        connection.sendall(data)


def rest(connection):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_a_connection_that_asks_nothing_is_closed(serve, monkeypatch):
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.05)
    assert rest(serve()()) == b""


def test_a_head_that_does_not_end_is_told_so_and_closed(serve, monkeypatch):
    connection = serve()()
    assert ask(connection).startswith(b"HTTP/1.1 200 ")
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.05)  # counts from the first byte of the next one
    connection.sendall(b"GET / HTTP/1.1\r\nho")
    assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_a_byte_now_and_then_does_not_prolong_it(serve, monkeypatch):
    connection = serve()()
    assert ask(connection).startswith(b"HTTP/1.1 200 ")
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(listening, "LINGER_SECONDS", 0.0)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_for_ever(connection, b"X")


def test_a_head_without_end_is_stopped_before_it_fills_the_memory(serve):
    connection = serve()()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for _ in range(100):
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 20_000)
    assert rest(connection).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


def test_what_is_no_http_is_answered_although_more_of_it_comes(serve):
    connection = serve()()
    connection.sendall(b"\x16\x03\x01 hello" + b"z" * 300_000)
    assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_a_newcomer_takes_the_place_of_who_asks_nothing_for_longest(serve, caplog):
    connect = serve()
    idle = []
    for _ in range(4):
        idle.append(connect())
        assert ask(idle[-1]).startswith(b"HTTP/1.1 200 ")
    assert ask(idle[0]).startswith(b"HTTP/1.1 200 ")  # now the second one has waited for longest
    with caplog.at_level(logging.WARNING, "latchpin.serve"):
        newcomer = connect()
        assert ask(newcomer).startswith(b"HTTP/1.1 200 ")
    assert rest(idle[1]) == b""
    for connection in (idle[0], idle[2], idle[3]):
        assert ask(connection).startswith(b"HTTP/1.1 200 ")
    said = [record.message for record in caplog.records if record.name == "latchpin.serve"]
    assert ["MAX_CONNECTIONS" in each for each in said] == [True]


def test_where_all_are_busy_health_is_still_answered_and_nothing_else(serve, app):
    connect = serve()
    busy = [connect() for _ in range(4)]
    for connection in busy:
        connection.sendall(ASK % b"/held")
        assert app.entered.acquire(timeout=WAIT)
    assert ask(connect(), b"/health").startswith(b"HTTP/1.1 200 ")
    refused = connect()
    answer = ask(refused) + rest(refused)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in answer
    busy.pop().close()


def test_a_request_that_came_while_the_loop_was_held_up_is_answered_although_its_time_is_over(serve, app):
    connection = serve(timeout_keep_alive=0)()
    assert ask(connection, b"/stall").startswith(b"HTTP/1.1 200 ")
    assert app.entered.acquire(timeout=WAIT)
    connection.sendall(ASK % b"/")
    app.go_on.set()  # the loop sees the deadline and the bytes at once
    assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_is_kept_longer_than_proxies_and_clients_keep_it():
    assert listening.KEEP_ALIVE_SECONDS > 60


FITTING = [
    # the limits (soft, hard), the connections wanted, those that fit, the soft limit afterwards
    ((1024, 4096), 1000, 1000, 2064),  # raised as far as is needed
    ((256, 256), 2048, 96, 256),  # half of what is left: each may need an upstream
    ((1024, 2000), 2048, 968, 2000),
    ((1_048_576, 1_048_576), 2048, 2048, 1_048_576),
    ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 2048, 2048, resource.RLIM_INFINITY),
    ((20, 20), 2048, 16, 20),  # never none
]


@pytest.mark.parametrize(("limits", "wanted", "fit", "soft"), FITTING)
def test_the_places_fit_the_limit_of_open_files(monkeypatch, limits, wanted, fit, soft):
    now = list(limits)
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: now.__setitem__(slice(None), limits))
    assert fit_descriptors(wanted) == fit
    assert now[0] == soft


def test_three_hundred_idle_connections_with_256_descriptors_leave_health_reachable(tmp_path):
    env = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
    script = 'ulimit -n 256; exec "$0" serve'
    with (
        start_latchpin("-c", script, latchpin_command(), executable="/bin/sh", env=env, cwd=tmp_path) as process,
        contextlib.ExitStack() as stack,
    ):
        process.wait_for_output("does not fit into this system's limit of open files: a process takes 96")
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", process.port), timeout=WAIT))
        process.wait_until_healthy()
        process.wait_for_output("All 96 connections of this process are taken")
