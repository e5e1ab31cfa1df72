"""What is done to a store from outside: emptied, filled, taken away, tampered with. Each store in its own way."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.causes.situation import World
from tests.support.gateway_in_process import InnerGateway

__all__ = ["change_row", "evict", "flush", "forget_rows", "held_back", "outdate", "rows", "second_store"]

_STATES = "oauth:state:"


def _sql(world: World, statement: str) -> list[Any]:
    """Run one statement in the database, beside the gateway."""
    url = world.backend.environment["DATABASE_URL"]
    if world.backend.name == "postgres":
        found: list[Any] = world.servers["postgres"].execute(statement, url=url)
        return found
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


@contextlib.contextmanager
def second_store(world: World) -> Iterator[Mapping[str, str]]:
    """Another store of the same kind; what an instance has to set to have it."""
    match world.backend.name:
        case "redis":
            yield {"REDIS_URL": world.servers["redis"].url.removesuffix("/0") + "/1"}
        case "postgres":
            url = world.servers["postgres"].create_database()
            world.stack.callback(world.servers["postgres"].drop_database, url)  # once the gateways are closed
            yield {"DATABASE_URL": url}
        case _:
            yield {"DATABASE_URL": f"sqlite:///{world.folder / 'second.db'}"}


def forget_rows(world: World) -> None:
    """Delete the states, and nothing else."""
    if world.backend.name == "redis":
        server = world.servers["redis"]
        for key in _keys(world):
            server.command("DEL", key)
    else:
        _sql(world, "DELETE FROM oauth_states")


def flush(world: World) -> None:
    """Empty the store, as FLUSHALL or a restored backup would."""
    if world.backend.name == "redis":
        world.servers["redis"].command("FLUSHALL")
    else:
        _sql(world, "DELETE FROM oauth_states")
        _sql(world, "DELETE FROM documents")


@contextlib.contextmanager
def evict(world: World) -> Iterator[None]:
    """Let Redis run out of memory, with a policy that throws away what expires first, until the states are gone."""
    server = world.servers["redis"]
    try:
        server.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        used = next(line for line in server.command("INFO", "memory").decode().splitlines() if "used_memory:" in line)
        server.command("CONFIG", "SET", "maxmemory", str(int(used.partition(":")[2]) + 4_000_000))
        for number in range(400):
            if not _keys(world):
                break
            server.command("SET", f"filler:{number}", "x" * 100_000, "EX", "86400")
        assert not _keys(world), "nothing was evicted"
        server.command("CONFIG", "SET", "maxmemory", "0")
        yield
    finally:
        server.command("CONFIG", "SET", "maxmemory", "0")
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


@contextlib.contextmanager
def held_back(world: World, gateway: InnerGateway) -> Iterator[None]:
    """The store does not answer, or has no room, while the block runs."""
    match world.backend.name:
        case "memory":
            _own(gateway)._limit = 0
            yield
        case "sqlite":
            path = Path(world.backend.environment["DATABASE_URL"].removeprefix("sqlite:///"))
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                yield
        case name:
            server = world.servers[name]
            server.stop()
            try:
                yield
            finally:
                server.start()


def rows(world: World, gateway: InnerGateway) -> list[str]:
    """The sealed verifiers that are kept, first to last."""
    match world.backend.name:
        case "memory":
            entries = _own(gateway)._entries.values()
            return [entry.code_verifier for entry in entries]
        case "redis":
            return [json.loads(world.servers["redis"].command("GET", key))["code_verifier"] for key in _keys(world)]
        case _:
            return [row[0] for row in _sql(world, "SELECT code_verifier FROM oauth_states ORDER BY created_at")]


def change_row(world: World, gateway: InnerGateway, **values: str) -> None:
    """Write other text into a column of the one state that is kept."""
    match world.backend.name:
        case "memory":
            entries = _own(gateway)._entries
            for key, entry in entries.items():
                entries[key] = replace(entry, **values)
        case "redis":
            server = world.servers["redis"]
            for key in _keys(world):
                held = json.loads(server.command("GET", key)) | values
                text = json.dumps(held, separators=(",", ":"), ensure_ascii=False)
                server.command("SET", key, text, "KEEPTTL")
        case _:
            changes = ", ".join(f"{name} = '{value}'" for name, value in values.items())
            _sql(world, f"UPDATE oauth_states SET {changes}")


def outdate(world: World) -> None:
    """Give the empty database the mark of a schema that this version does not know."""
    _sql(world, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    _sql(world, "INSERT INTO alembic_version VALUES ('9999')")


def _own(gateway: InnerGateway) -> Any:
    """The store itself, below whatever watches it."""
    states = gateway.application.services.states
    return getattr(states, "_states", states)


def _keys(world: World) -> list[str]:
    script = f"return table.concat(redis.call('KEYS', '{_STATES}*'), '\\n')"
    return str(world.servers["redis"].command("EVAL", script, "0").decode()).split()
