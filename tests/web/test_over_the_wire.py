"""The guard on a real server, spoken to with bytes that no well-behaved client sends."""

import contextlib
import json
import logging
import socket
import threading

import pytest
from latchpin.web import limits

from tests.servers.processes import serve_asgi
from tests.web.conftest import open_gateway

FORM = b"content-type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
async def address():
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with open_gateway(base_url=base_url, host="127.0.0.1") as gateway:
            with serve_asgi(gateway.app, lifespan="off", sock=sock):
                yield sock.getsockname()


def talk(address, *parts):
    """Send bytes, and read until the server closes or has answered."""
    with socket.create_connection(address, timeout=60) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                answer += chunk
        return answer.decode("latin-1")


def problem_in(answer):
    return json.loads(answer.partition("\r\n\r\n")[2])


def request(line, *headers, host=b"127.0.0.1"):
    return b"\r\n".join([line + b" HTTP/1.1", b"host: " + host, b"connection: close", *headers, b"", b""])


async def test_a_body_in_chunks_is_stopped_at_the_limit(address):
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = request(b"POST /echo", b"content-type: application/json", b"transfer-encoding: chunked")
    answer = talk(address, head, *[chunk] * 20, b"0\r\n\r\n")
    assert answer.startswith("HTTP/1.1 413 ")
    assert problem_in(answer)["cause"] == "request-too-large"


async def test_a_form_in_chunks_is_stopped_too(address):
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = request(b"POST /login", FORM.strip(), b"transfer-encoding: chunked", b"sec-fetch-site: same-origin")
    answer = talk(address, head, *[chunk] * 20, b"0\r\n\r\n")
    assert answer.startswith("HTTP/1.1 413 ")


async def test_a_form_that_is_no_form_is_a_clear_refusal(address, caplog):
    bodies = [
        (b"multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        (b"multipart/form-data", b"--x\r\n"),
        (b"application/x-www-form-urlencoded", b"%ff%fe&&&===%"),
        (b"application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(5000))),
        (b"application/x-www-form-urlencoded", b"token=%ff%fe&next=%ff"),
        (b"application/json", b"[" * 50_000),
        (b"text/plain; charset=\xff", b"\xff"),
    ]
    for kind, body in bodies:
        headers = [b"content-type: " + kind, b"content-length: %d" % len(body), b"sec-fetch-site: same-origin"]
        answer = talk(address, request(b"POST /login", *headers), body)
        assert answer.startswith("HTTP/1.1 4"), (kind, answer)
        assert problem_in(answer)["remedy"]
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_client_that_hangs_up_is_no_failure_of_ours(address, caplog):
    done = threading.Event()
    access = logging.getLogger("latchpin.access")

    class Waiter(logging.Handler):
        def emit(self, record):
            done.set()

    waiter = Waiter()
    access.addHandler(waiter)
    access.setLevel(logging.INFO)
    try:
        with socket.create_connection(address) as connection:
            head = request(b"POST /login", FORM.strip(), b"content-length: 1000", b"sec-fetch-site: same-origin")
            connection.sendall(head + b"token=")
        assert done.wait(20)
    finally:
        access.removeHandler(waiter)
        access.setLevel(logging.NOTSET)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_whole_url_as_target_and_two_hosts_build_nothing_foreign(address):
    for line, extra in (
        (b"GET http://evil.example/me", []),
        (b"GET //evil.example/me", []),
        (b"GET /me", [b"host: evil.example"]),
    ):
        for accept in (b"accept: text/html", b"accept: */*"):
            answer = talk(address, request(line, accept, *extra))
            assert "location: http://evil" not in answer.lower()
            assert "location: //evil" not in answer.lower()


async def test_header_names_and_values_of_any_bytes_are_survived(address, caplog):
    for header in (b"x-odd: \xff\xfe", b"cookie: \xff=\xfe; =; ;;", b"authorization: Bearer \xff", b"accept: \xff"):
        answer = talk(address, request(b"GET /me", header))
        assert answer.startswith(("HTTP/1.1 401 ", "HTTP/1.1 400 ")), answer
    assert not [record for record in caplog.records if record.exc_info]


async def test_paths_and_queries_of_any_bytes_are_survived(address, caplog):
    for target in (
        b"/%00",
        b"/%ff%fe",
        b"/login?next=%ff&token=%ff",
        b"/login?token=%00",
        b"/problems/%0a",
        b"/static/%2e%2e%2f",
    ):
        answer = talk(address, request(b"GET " + target, b"accept: text/html"))
        assert answer.startswith(("HTTP/1.1 404 ", "HTTP/1.1 400 ", "HTTP/1.1 307 ")), (target, answer)
    assert not [record for record in caplog.records if record.exc_info]


async def test_head_and_options_have_answers_of_one_shape(address):
    assert talk(address, request(b"OPTIONS /login")).startswith("HTTP/1.1 405 ")
    assert "x-content-type-options: nosniff" in talk(address, request(b"HEAD /nothing"))


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (b"*", "the asterisk form, which only OPTIONS has (RFC 9112 section 3.2.4)"),
        (b"@evil.example/", "behind a host name it names another"),
        (b".evil.example/", "the same"),
        (b"login", "no slash"),
        (b"evil.example:443", "the authority form, which only CONNECT has"),
    ],
)
@pytest.mark.parametrize("host", [b"127.0.0.1", b"evil.example"])
async def test_a_target_that_is_no_path_is_refused_and_leads_nowhere(address, target, why, host):
    answer = talk(address, request(b"GET " + target, b"accept: text/html", host=host))
    assert answer.startswith("HTTP/1.1 400 "), why
    assert "location:" not in answer.lower()


EARLY = [
    # the request line, its headers, the status, why it is refused before its body is read
    (b"POST /echo", [b"content-length: %d"], 413, "its length is over the limit"),
    (b"POST /nothing", [b"content-length: %d"], 413, "the limit comes before everything"),
    (b"POST /echo", [b"transfer-encoding: chunked"], 413, "it is over the limit when it has come so far"),
    (b"POST /nothing", [b"transfer-encoding: chunked"], 404, "there is no such page"),
    (b"GET /login", [b"transfer-encoding: chunked"], 200, "nobody reads the body of a GET"),
    (b"PUT /login", [b"transfer-encoding: chunked"], 405, "there is no such method"),
    (b"POST /act", [b"transfer-encoding: chunked"], 401, "nobody is signed in"),
    (b"POST /echo", [b"x-big: " + b"y" * 66_000, b"transfer-encoding: chunked"], 431, "its head is too large"),
]


@pytest.mark.parametrize("case", EARLY, ids=lambda case: f"{case[2]}-{case[0].decode()}")
async def test_a_refusal_reaches_a_client_that_is_still_sending(address, monkeypatch, case):
    line, headers, status, why = case
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60.0)
    size, pieces = 65_536, 100
    chunked = b"transfer-encoding: chunked" in headers
    head = request(line, *(each % (size * pieces) if b"%d" in each else each for each in headers))
    piece = b"10000\r\n" + b"x" * size + b"\r\n" if chunked else b"x" * size
    with socket.create_connection(address, timeout=60) as connection:
        for part in (head, *[piece] * pieces, b"0\r\n\r\n" if chunked else b""):
            connection.sendall(part)  # clients that cannot send on do not look for an answer
        answer = connection.makefile("rb").read().decode("latin-1")
    assert answer.startswith(f"HTTP/1.1 {status} "), why
    assert "connection: close" in answer


async def test_a_small_body_that_nobody_reads_does_not_cost_the_connection(address):
    with socket.create_connection(address, timeout=60) as connection:
        for _ in range(2):
            body = b"x" * 1000
            connection.sendall(
                request(b"POST /nothing", b"content-length: 1000").replace(b"connection: close", b"x: y")
            )
            connection.sendall(body)
            head = head_of_whole_answer(connection)
            assert head.startswith(b"HTTP/1.1 404 ")
            assert b"connection: close" not in head


def head_of_whole_answer(connection: socket.socket) -> bytes:
    """Read an answer to the end of its body, which may come after its head."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head


async def test_a_body_that_does_not_arrive_is_answered_408(address, monkeypatch):
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.05)
    head = request(b"POST /echo", b"content-type: application/json", b"content-length: 1000000")
    answer = talk(address, head, b'{"number": ')
    assert answer.startswith("HTTP/1.1 408 ")
    assert problem_in(answer)["remedy"] == "Send the whole request at once."
