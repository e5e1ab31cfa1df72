"""Servers as child processes and in threads, and a free loopback port that stays ours while its server is down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import uvicorn

# A free loopback port that stays ours while its server is down.


HOST = "127.0.0.1"


class Reservation:
    """Holds a port of the system's choosing by a socket that is bound and never listens.

    A server that sets SO_REUSEADDR, as nearly all do, can listen on the port meanwhile; the system gives it to
    nobody else; and while no server listens, connections are refused, as on any closed port. So no other
    process can take the port between choosing it and using it, or while a test has the server stopped.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


# A server as a child process: its output as it comes, readiness with a deadline, and a sure end.


DEADLINE = 60.0
"""Seconds that a server may take to do what it is waited for: far more than it needs, on a machine that is busy."""

# Ends the process group and removes the folder if the test process dies without saying so (SIGKILL, os._exit).
# It waits for the end of its standard input, which only our death or our word "released" brings.
_GUARD = """
read -r word
[ "$word" = released ] && exit 0
kill -s "$1" -- "-$2" "$2" 2>/dev/null
sleep 2
kill -s KILL -- "-$2" 2>/dev/null
[ -n "$3" ] && rm -rf -- "$3"
"""


def drop_to(user: str | None) -> dict[str, Any]:
    """What makes ``subprocess`` start a program as ``user`` with that user's group alone; nothing for None."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _guard(pid: int, stop_signal: signal.Signals, folder: Path | None) -> subprocess.Popen[str]:
    arguments = [stop_signal.name.removeprefix("SIG"), str(pid), str(folder or "")]
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", *arguments], stdin=subprocess.PIPE, text=True, start_new_session=True
    )


class NotReady(Exception):
    """The server ended, or its deadline passed, before it was ready; the text has the end of its output."""


class ServerProcess:
    """One run of a server program, in a session of its own, so that Ctrl-C reaches only the tests.

    Args:
        command: program and arguments.
        env: its whole environment; None: ours.
        cwd: its working folder.
        user: start it as this user (only when we are root).
        stop_signal: what asks it to end.
        folder: removed if the test process dies before it ends the server.
        start: starts it, as ``subprocess.Popen`` does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        folder: Path | None = None,
        start: Callable[..., Any] = subprocess.Popen,
    ) -> None:
        self.command = list(command)
        self._stop_signal = stop_signal
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        self._finished = False
        self._process: subprocess.Popen[str] = start(
            self.command,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
            start_new_session=True,
            **drop_to(user),
        )
        self._guard = _guard(self.pid, stop_signal, folder)
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id; also that of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it has written so far to standard output and error."""
        with self._changed:
            return "".join(self._lines)

    def wait_for_output(self, text: str, *, times: int = 1, timeout: float = DEADLINE) -> str:
        """Wait until ``times`` lines of the output have ``text``, and return the last of these.

        Raises:
            NotReady: the process ended or ``timeout`` seconds passed without it.
        """

        def look() -> str | None:
            found = [line for line in self.output.splitlines() if text in line]
            return found[times - 1] if len(found) >= times else None

        return self.wait_until(look, timeout=timeout)

    def wait_until(
        self, look: Callable[[], str | None], *, timeout: float = DEADLINE, tick: float | None = None
    ) -> str:
        """Call ``look`` whenever there is new output, and every ``tick`` seconds, until it gives a text.

        Raises:
            NotReady: the output ended or ``timeout`` seconds passed first.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                seen, closed = len(self._lines), self._closed
            if (found := look()) is not None:
                return found
            left = deadline - time.monotonic()
            if closed or left <= 0:
                raise NotReady(self._explain(timeout))
            with self._changed:
                if len(self._lines) == seen and not self._closed:
                    self._changed.wait(left if tick is None else min(tick, left))

    def wait(self, *, timeout: float = DEADLINE) -> int:
        """Wait for its own end and return the exit status, with all output read.

        Raises:
            NotReady: it still runs after ``timeout`` seconds; it is killed.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            text = self._explain(timeout)
            self.kill()
            raise NotReady(text) from None
        self._finish()
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone (its children are its own affair)."""
        self._process.send_signal(number)

    def stop(self, *, timeout: float = DEADLINE) -> int:
        """Ask it to end, wait, and return its exit status. One that does not obey is killed. Repeatable."""
        if self._process.poll() is None:
            self.send(self._stop_signal)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._finish()

    def kill(self) -> int:
        """End it and everything in its process group at once, and return its exit status."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        return self._finish()

    def _finish(self) -> int:
        status = self._process.wait()
        if not self._finished:
            self._finished = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # what it left behind in its group goes too
            self._reader.join(DEADLINE)
            self._guard.communicate("released\n")
        return status

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _explain(self, timeout: float) -> str:
        if self._closed:  # the end of its output comes a moment before its own
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(DEADLINE)
        state = "ended" if self._closed else f"was not ready after {timeout:g} s"
        tail = "".join(self.output.splitlines(keepends=True)[-40:]) or "(it wrote nothing)\n"
        return f"{self.command[0]} {state} (exit status {self._process.poll()}); the end of its output:\n{tail}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


# Any ASGI application on a real uvicorn in a thread of its own, on a port of the system's choosing.


class _Server(uvicorn.Server):
    """Says when its start is over, well or badly, and stops at once: uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.001)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """End ``main_loop``. May be called by any thread, also after the end."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)


@contextlib.contextmanager
def serve_asgi(
    app: Any,
    *,
    lifespan: Literal["auto", "on", "off"] = "auto",
    timeout: float = DEADLINE,
    sock: socket.socket | None = None,
    config_class: type[uvicorn.Config] = uvicorn.Config,
    **options: Any,
) -> Iterator[str]:
    """Serve ``app`` and give its base URL (``http://127.0.0.1:port``) until the block ends.

    Args:
        app: the application; its lifespan runs in the server's thread and event loop.
        lifespan: as uvicorn understands it.
        timeout: seconds for start and for stop.
        sock: a bound socket, where the app must know its own port before it is made.
        config_class: a kind of uvicorn's configuration.
        options: what else it is made with.

    Raises:
        NotReady: the application's start failed.
    """
    if sock is None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind((HOST, 0))
    config = config_class(
        app,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        **options,
    )
    server = _Server(config)
    thread = threading.Thread(target=_run, args=(server, sock), name="uvicorn", daemon=True)
    thread.start()
    try:
        if not server.settled.wait(timeout) or not server.started:
            raise NotReady(f"uvicorn could not start {app!r}")
        yield f"http://{HOST}:{sock.getsockname()[1]}"
    finally:
        server.stop()
        thread.join(timeout)
        sock.close()


def _run(server: _Server, sock: socket.socket) -> None:
    try:
        with contextlib.suppress(SystemExit):  # how uvicorn reports a failed start
            server.run(sockets=[sock])
    finally:
        server.settled.set()
