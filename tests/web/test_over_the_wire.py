"""The guard on a real server, spoken to with bytes that no well-behaved client sends."""

import contextlib
import json
import logging
import socket
import threading

import pytest

from tests.servers.asgi import serve_asgi
from tests.web.small_gateway import open_gateway

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
