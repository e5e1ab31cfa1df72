"""The way to a cluster: each command goes to the server that has its slot, in that server's own batches.

A server that does not have a slot (any more) refuses the command and says who has it: that command was not carried out,
so it is sent there. Nor was one that found no connection, or that a cluster refused for being down: those are sent
again too, while there is time. No other command is ever repeated; see ``connection``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from latchpin.sdk.stores import store_deadline
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from latchpin_redis_store.client import server_client
from latchpin_redis_store.cluster import Cluster
from latchpin_redis_store.connection import BATCH_SECONDS, Commands, Question, Reply, Server, Unreached, reason_of
from latchpin_redis_store.hosts import Place
from latchpin_redis_store.keys import CLUSTERED
from latchpin_redis_store.slots import SLOTS, Word, read_slots, slot_of

__all__ = ["ClusterCommands"]

AGAIN_SECONDS = 1.0
"""So long a command that was not carried out is sent again: keys are on their way, or a failover is nearly done."""
PAUSE_SECONDS = 0.05
MOST_MOVES = 8
"""Redirections of one command; a cluster at odds with itself sends it in a circle."""

DOWN_REMEDY = (
    "See what it lacks: redis-cli --cluster check HOST:PORT. It serves again when a replica took over, that server is "
    "back, or the slots have moved."
)
ADDRESS_REMEDY = (
    "Set cluster-announce-ip (or -hostname) and cluster-announce-port of that server to what the gateway reaches, or "
    "start it."
)


@dataclass(frozen=True, slots=True)
class _Way:
    """A command, and where it goes next.

    Attributes:
        question: the command.
        slot: the slot of its key.
        place: who has that; None: nobody.
        until: when to give up sending it again, in the event loop's time.
        moves: how often it was sent on.
    """

    question: Question
    slot: int | None
    place: Place | None
    until: float
    moves: int = 0


class ClusterCommands(Commands):
    """Sends each command to the server that has its key.

    Args:
        cluster: what REDIS_URL says.
        shown_url: REDIS_URL with its password masked, for error texts.
        replicas: how many must have what a script wrote before its caller is told.
    """

    kind = "Redis Cluster"
    keys = CLUSTERED

    def __init__(self, cluster: Cluster, shown_url: str, *, replicas: int = 0) -> None:
        super().__init__(shown_url)
        self._cluster = cluster
        self._replicas = replicas
        self._servers: dict[Place, Server] = {}
        self._owners: list[Place | None] = [None] * SLOTS
        self._looking: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    # -- commands -------------------------------------------------------------------------------------

    async def submit(self, question: Question) -> Reply:
        """Send it to who has its slot, and on to whom that one names."""
        slot = slot_of(question.words)
        way = _Way(question, slot, self._place_of(slot), until=_now() + AGAIN_SECONDS)
        while True:
            try:
                return await self._server(way.place).submit(way.question)
            except AskError as exc:
                way = self._as_told(way, exc)
            except (TryAgainError, ClusterDownError):
                way = await self._in_a_moment(way)
            except Unreached as exc:
                way = await self._elsewhere(way, exc)
            except (RedisConnectionError, OSError):
                self._look(apart=way.place)
                raise

    def _as_told(self, way: _Way, exc: AskError) -> _Way:
        """Where the command goes that was refused with MOVED or ASK."""
        if way.moves == MOST_MOVES or way.place is None:
            raise exc
        place = exc.host or way.place[0], exc.port
        moved = isinstance(exc, MovedError)
        if moved and way.slot is not None:
            self._owners[way.slot] = place
            self._look()
        return replace(way, place=place, question=replace(way.question, asking=not moved), moves=way.moves + 1)

    async def _in_a_moment(self, way: _Way) -> _Way:
        """Where it goes after TRYAGAIN or CLUSTERDOWN, which is being handled; raises that when time is over."""
        if _now() >= way.until:
            raise  # noqa: PLE0704  what is handled
        await asyncio.sleep(PAUSE_SECONDS)
        return await self._seen_again(way)

    async def _elsewhere(self, way: _Way, exc: Unreached) -> _Way:
        """Where it goes if another server has the slot by now."""
        other = await self._seen_again(way)
        if other.place == way.place or _now() >= way.until:
            raise _named(exc, way.place) from exc
        return other

    def silence(self, words: Sequence[Word] = ()) -> Callable[[], bool]:
        """Was the server that has the key asked, and has it answered nothing since the last time?"""
        place = self._place_of(slot_of(words) if words else None)
        return (lambda: True) if place is None else self._server(place).silence(words)

    def servers(self) -> Sequence[Commands]:
        """The primaries."""
        return [self._server(place) for place in self._primaries()]

    async def ping(self) -> None:
        """Learn who has which slot, and reach each of them."""
        await self._learn(None)
        if missing := self._owners.count(None):
            raise ClusterDownError(f"{missing} of {SLOTS} slots have no server")
        for place in self._primaries():
            try:
                await self._server(place).ping()
            except (RedisConnectionError, OSError) as exc:
                raise _named(exc, place) from exc

    async def close(self) -> None:
        """Send what is waiting, and hang up."""
        if self._looking is not None:
            self._looking.cancel()
        await asyncio.gather(*(server.leave() for server in self._servers.values()), *self._leaving)

    def remedy_for(self, exc: Exception) -> str:
        """What an operator can do about an error."""
        if isinstance(exc, ClusterDownError | TryAgainError):
            return DOWN_REMEDY
        if isinstance(exc, Unreached):
            return ADDRESS_REMEDY
        if "cluster support disabled" in str(exc):
            return "Begin REDIS_URL with redis://, or rediss:// for TLS: this server is no part of a cluster."
        return super().remedy_for(exc)

    # -- who has what ---------------------------------------------------------------------------------

    def _primaries(self) -> list[Place]:
        return sorted({place for place in self._owners if place is not None})

    def _place_of(self, slot: int | None) -> Place | None:
        """Who has a slot; for a command without key, any server."""
        if slot is not None:
            return self._owners[slot]
        return next((place for place in self._owners if place is not None), None)

    def _server(self, place: Place | None) -> Server:
        if place is None:
            raise ClusterDownError("no server has the slot of this key")
        server = self._servers.get(place)
        if server is None:
            client = server_client(self._cluster.server_url, place, socket_timeout=None)
            server = self._servers[place] = Server(client, self._shown_url, replicas=self._replicas)
        return server

    async def _seen_again(self, way: _Way) -> _Way:
        """Ask who has the slot now."""
        await asyncio.shield(self._look(apart=way.place))
        return replace(way, place=self._place_of(way.slot), question=replace(way.question, asking=False))

    def _look(self, apart: Place | None = None) -> asyncio.Task[None]:
        """Ask again who has which slot, once for all who noticed that it changed."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_quietly(apart))
        return self._looking

    async def _look_quietly(self, apart: Place | None) -> None:
        with suppress(RedisError, OSError):  # what was known stands, and whoever asks meets the error
            await self._learn(apart)

    async def _learn(self, apart: Place | None) -> None:
        """Ask one server after the other who has which slot, ``apart`` last, until one answers.

        Raises:
            RedisError: none did.
            OSError: the same.
        """
        known = self._primaries()
        random.shuffle(known)  # else all workers would ask the same one
        error: Exception = RedisConnectionError("no server of the cluster answers")
        for place in sorted(dict.fromkeys([*known, *self._cluster.seeds]), key=lambda each: each == apart):
            try:
                async with store_deadline(BATCH_SECONDS) as asker:
                    self._note(await self._server(place).submit(Question(("CLUSTER", "SLOTS"), asker)), place)
                    return
            except (RedisError, OSError, ValueError) as exc:
                error = exc if isinstance(exc, ResponseError | RedisConnectionError) else _named(exc, place)
        raise error

    def _note(self, reply: Any, asked: Place) -> None:  # noqa: ANN401  what a server answers
        owners: list[Place | None] = [None] * SLOTS
        for slots, place in read_slots(reply, asked):
            owners[slots.start : slots.stop] = [place] * len(slots)
        self._owners = owners
        for gone in self._servers.keys() - set(owners) - {asked}:
            task = asyncio.create_task(self._servers.pop(gone).leave())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


def _named(exc: Exception, place: Place | None) -> Unreached:
    """The error, with the name of the server that was not reached."""
    host, port = place or ("?", 0)
    return Unreached(f"{host}:{port} cannot be reached: {reason_of(exc)}")


def _now() -> float:
    return asyncio.get_running_loop().time()
