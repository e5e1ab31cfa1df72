"""Several Valkeys of the tests' own: a cluster with replicas, and Sentinels that watch a primary and two replicas."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.servers.databases import valkey_binary
from tests.servers.processes import HOST, Reservation, ServerProcess

PRIMARIES = 3
SLOTS = 16_384
NOTICED, TRUSTED = 1_500, 15_000
"""Milliseconds without an answer after which the others take a server for gone: while one is, and otherwise."""
DEADLINE = 300
"""Seconds that it may take to agree on something, on a busy machine."""


class Node:
    """One server of the cluster. ``kill`` and ``start`` keep its ports, and what it knows of the others.

    Attributes:
        port: its port on 127.0.0.1.
        bus: the port by which the servers talk to each other.
    """

    process: ServerProcess

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.port, self.bus = (stack.enter_context(Reservation()).port for _ in range(2))
        options = ["--port", str(self.port), "--cluster-port", str(self.bus), "--bind", HOST, "--dir", str(folder)]
        options += ["--cluster-enabled", "yes", "--cluster-config-file", f"{self.port}.conf", "--save", ""]
        options += ["--cluster-node-timeout", str(NOTICED), "--cluster-replica-validity-factor", "0"]
        options += ["--dbfilename", f"{self.port}.rdb", "--repl-diskless-sync-delay", "0"]
        self._command, self._folder, self._stack = [str(valkey_binary()), *options], folder, stack
        self.start()

    def start(self) -> None:
        """Start it; one that was killed joins again, and copies from the server that took over."""
        self.process = self._stack.enter_context(ServerProcess(self._command, cwd=self._folder))
        self.process.wait_for_output("Ready to accept connections")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def ask(self, *words: str | int) -> Any:
        """Ask one command of this server, whether it has the key or not."""
        return ask(self.port, *words)

    @property
    def id(self) -> str:
        """What the others call it."""
        return str(self.ask("CLUSTER", "MYID").decode())

    def facts(self, *words: str) -> dict[str, str]:
        """Lines of ``name:value``."""
        told = self.ask(*words)
        if isinstance(told, dict):
            return {str(name): str(value) for name, value in told.items()}
        lines = (line.partition(":") for line in told.decode().splitlines())
        return {name: value for name, _, value in lines}


class ValkeyCluster:
    """Six servers, of which three have the slots in three equal parts, and the other three copy them.

    Attributes:
        nodes: the servers, the primaries first, then their replicas in the same order.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="latchpin-cluster-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            self.nodes = [Node(folder, self._stack) for _ in range(2 * PRIMARIES)]
            self._join()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """As REDIS_URL takes it, with two of the servers."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port},{HOST}:{self.nodes[4].port}"

    def close(self) -> None:
        """Stop all servers and remove their data."""
        self._stack.close()

    def owners(self) -> dict[range, Node]:
        """Who has which slots, as the first says that lives."""
        node = next(each for each in self.nodes if each.process.returncode is None)
        by_port = {each.port: each for each in self.nodes}
        return {
            range(first, last + 1): by_port[primary[1]] for first, last, primary, *_ in node.ask("CLUSTER", "SLOTS")
        }

    def owner(self, slot: int) -> Node:
        """The server that has a slot."""
        return next(node for slots, node in self.owners().items() if slot in slots)

    def lose(self, slot: int) -> Node:
        """Kill the server that has a slot, and return when another one has it; give the one killed."""
        victim = self.owner(slot)
        self._give_up_after(NOTICED)
        victim.kill()
        wait_until(lambda: self.owner(slot) is not victim)
        self._give_up_after(TRUSTED)
        return victim

    def primaries(self) -> list[Node]:
        """Those that have slots now."""
        return list({node.port: node for node in self.owners().values()}.values())

    def flush(self) -> None:
        """Empty it."""
        for node in self.primaries():
            node.ask("FLUSHALL")

    def begin_to_move(self, slot: int, target: Node) -> None:
        """Tell both sides; keys that are absent at the source are then looked for at the target."""
        source = self.owner(slot)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move(self, slot: int, target: Node) -> None:
        """Give a slot to another server, key by key, as ``--cluster reshard`` does."""
        source = self.owner(slot)
        self.begin_to_move(slot, target)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.ask("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.primaries()):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def _join(self) -> None:
        share = SLOTS // PRIMARIES + 1
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < PRIMARIES:
                node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min(SLOTS, (number + 1) * share) - 1)
            self.nodes[0].ask("CLUSTER", "MEET", HOST, node.port, node.bus)
        wait_until(lambda: all(node.facts("CLUSTER", "INFO")["cluster_known_nodes"] == "6" for node in self.nodes))
        for primary, replica in zip(self.nodes[:PRIMARIES], self.nodes[PRIMARIES:], strict=True):
            name = primary.id
            wait_until(lambda replica=replica, name=name: _accepted(replica, "CLUSTER", "REPLICATE", name))
        wait_until(lambda: all(node.facts("CLUSTER", "INFO")["cluster_state"] == "ok" for node in self.nodes))
        for replica in self.nodes[PRIMARIES:]:
            wait_until(lambda replica=replica: replica.facts("INFO", "replication").get("master_link_status") == "up")
        wait_until(lambda: all(_knows_all(node) for node in self.nodes))
        self._give_up_after(TRUSTED)

    def _give_up_after(self, milliseconds: int) -> None:
        """Nobody may take over from a server that is only slow, as each is on a busy machine."""
        for node in self.nodes:
            if node.process.returncode is None:
                node.ask("CONFIG", "SET", "cluster-node-timeout", milliseconds)


def _knows_all(node: Node) -> bool:
    """Whether it names a replica of each primary, so that it can say who takes over."""
    return all(len(each) > PRIMARIES for each in node.ask("CLUSTER", "SLOTS"))


def _accepted(node: Node, *words: str) -> bool:
    from redis.exceptions import ResponseError  # as above

    try:
        node.ask(*words)
    except ResponseError:  # it has not heard of that server yet
        return False
    return True


def ask(port: int, *words: str | int) -> Any:
    """Ask one command of the server on a port of this machine."""
    from redis import Redis  # only the cells that test Redis have it

    with Redis(port=port, protocol=2) as client:
        return client.execute_command(*words)


def wait_until(true: Any) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + DEADLINE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the servers do not agree")
        time.sleep(0.05)


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
