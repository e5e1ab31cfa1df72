"""Valkey Sentinels of the tests' own, and the servers that they watch: a primary and two replicas."""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.servers.clusters import ask, wait_until
from tests.servers.databases import valkey_binary
from tests.servers.processes import HOST, Reservation, ServerProcess

__all__ = ["SentinelGroup"]

NAME = "latchpin"
"""What the Sentinels call the group."""
SENTINELS = 3
REPLICAS = 2
SOON, NEVER = 500, 3_600_000
"""Milliseconds without an answer after which a Sentinel takes a server for gone."""
CALM = 3_600_000
"""Milliseconds between two looks from which on a Sentinel trusts its clock no more, and does nothing for a while."""


class SentinelGroup:
    """A primary, two replicas and three Sentinels that know each other: two of them must agree that it is gone.

    Attributes:
        primary: the server that takes writes at first.
        replicas: those that copy it.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-sentinel-"))
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self.replicas: list[ServerProcess] = []
        try:
            self._first, *others = (self._reserve() for _ in range(1 + REPLICAS))
            self._watching = [self._reserve() for _ in range(SENTINELS)]
            self.primary = self._serve(self._first)
            self.replicas = [self._serve(port, "--replicaof", HOST, str(self._first)) for port in others]
            for port in self._watching:
                self._watch(port)
            for port in self._watching:
                wait_until(lambda port=port: self._known(port) == (SENTINELS - 1, REPLICAS))
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """As REDIS_URL takes it."""
        return "redis+sentinel://" + ",".join(f"{HOST}:{port}" for port in self._watching) + f"/{NAME}/0"

    def close(self) -> None:
        """Stop all servers and remove their data."""
        self._resume()
        self._stack.close()

    def cut_off(self) -> None:
        """Let no write of the primary reach a replica any more, and have the Sentinels wait."""
        self._set(NEVER)
        for replica in self.replicas:
            replica.send(signal.SIGSTOP)
        ask(self._first, "CLIENT", "KILL", "TYPE", "replica")

    def promote(self) -> None:
        """Kill the primary with what it alone has, and return when all Sentinels name another one."""
        self.primary.kill()
        self._resume()
        self._set(SOON)
        for port in self._watching:
            wait_until(lambda port=port: self._named(port) != self._first)

    def _resume(self) -> None:
        for replica in self.replicas:
            replica.send(signal.SIGCONT)

    def _set(self, milliseconds: int) -> None:
        for port in self._watching:
            ask(port, "SENTINEL", "SET", NAME, "down-after-milliseconds", milliseconds)

    def _named(self, port: int) -> int:
        """The port of the primary, as the Sentinel at ``port`` says."""
        _, named = ask(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(named)

    def _known(self, port: int) -> tuple[int, int]:
        """How many other Sentinels a Sentinel knows, and how many replicas that copy the primary."""
        others = ask(port, "SENTINEL", "SENTINELS", NAME)
        replicas = ask(port, "SENTINEL", "REPLICAS", NAME)
        return len(others), sum(b"ok" in each for each in replicas)

    def _reserve(self) -> int:
        return self._stack.enter_context(Reservation()).port

    def _start(self, *command: str) -> ServerProcess:
        return self._stack.enter_context(ServerProcess([str(valkey_binary()), *command], cwd=self._folder))

    def _serve(self, port: int, *options: str) -> ServerProcess:
        place = ["--port", str(port), "--bind", HOST, "--save", "", "--dir", str(self._folder)]
        process = self._start(*place, "--dbfilename", f"{port}.rdb", "--repl-diskless-sync-delay", "0", *options)
        process.wait_for_output("Finished with success" if options else "Ready to accept connections")
        return process

    def _watch(self, port: int) -> None:
        file = self._folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\nbind {HOST}\ndir {self._folder}\nsentinel monitor {NAME} {HOST} {self._first} 2\n"
            f"sentinel down-after-milliseconds {NAME} {SOON}\nsentinel failover-timeout {NAME} 5000\n"
        )
        self._start(str(file), "--sentinel").wait_for_output("+slave")
        ask(port, "SENTINEL", "DEBUG", "tilt-trigger", CALM)
