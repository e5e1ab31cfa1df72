"""The servers that the other tests rely on: they come, go away, come back on the same port, and leave nothing."""

import http.client
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import NotReady, PostgresServer, RedisServer, Reservation, ServerProcess, serve_asgi
from tests.servers.processes import HOST


def is_refused(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_postgres_gives_empty_databases_and_keeps_them_over_a_stop(postgres: PostgresServer) -> None:
    first, second = postgres.create_database(), postgres.create_database()
    postgres.execute("CREATE TABLE kept (n int)", url=first)
    port = postgres.port

    postgres.stop()
    assert is_refused(port)
    postgres.start()

    tables = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
    assert postgres.port == port
    assert postgres.execute(tables, url=first) == [(1,)]
    assert postgres.execute(tables, url=second) == [(0,)]
    assert postgres.execute("SHOW server_encoding", url=first) == [("UTF8",)]
    for url in (first, second):
        postgres.drop_database(url)


def test_redis_keeps_data_over_a_stop_and_forgets_them_when_flushed(redis_server: RedisServer) -> None:
    redis_server.flush()
    redis_server.command("SET", "key", "value")
    assert "set" in redis_server.commands_seen()

    redis_server.stop()
    assert is_refused(redis_server.port)
    redis_server.start()

    assert redis_server.command("GET", "key") == b"value"
    redis_server.flush()
    assert redis_server.commands_seen() == set()


def test_a_reserved_port_refuses_connections_and_is_given_to_nobody_else() -> None:
    with Reservation() as reservation:
        assert is_refused(reservation.port)
        others = [Reservation() for _ in range(50)]
        assert reservation.port not in {other.port for other in others}
        for other in others:
            other.close()
        with socket.create_server((HOST, reservation.port)):
            assert not is_refused(reservation.port)


def test_a_program_that_ends_before_it_is_ready_is_quoted() -> None:
    with (
        ServerProcess([sys.executable, "-c", "print('no such folder'); raise SystemExit(3)"]) as process,
        pytest.raises(NotReady, match=r"(?s)exit status 3.*no such folder"),
    ):
        process.wait_for_output("ready")


def test_a_program_that_ignores_its_stop_signal_is_killed() -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    process = ServerProcess([sys.executable, "-c", stubborn])
    process.wait_for_output("up")
    assert process.stop(timeout=0.2) == -9


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_servers_end_with_the_tests_however_those_end(end: str, tmp_path: Path) -> None:
    script = tmp_path / "starts_a_server.py"
    script.write_text(
        "import os, pathlib, signal, sys\n"
        "from tests.servers import ServerProcess\n"
        f"folder = pathlib.Path({str(tmp_path / 'data')!r}); folder.mkdir()\n"
        "code = 'import signal, sys; print(\"up\", flush=True); signal.pause()'\n"
        "with ServerProcess([sys.executable, '-c', code], folder=folder) as server:\n"
        "    server.wait_for_output('up')\n"
        "    print(server.pid, flush=True)\n"
        f"    {end}\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert has_ended(int(done.stdout))


def has_ended(pid: int, *, timeout: float = 60) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)


def test_an_asgi_application_is_served_for_the_length_of_a_block() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] in {"lifespan", "http"}
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    with serve_asgi(application, lifespan="off") as url:
        port = int(url.rpartition(":")[2])
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 204
        connection.close()
    assert is_refused(port)


def test_an_asgi_application_that_cannot_start_is_an_error() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("no")

    with pytest.raises(NotReady), serve_asgi(application, lifespan="on"):
        pass
