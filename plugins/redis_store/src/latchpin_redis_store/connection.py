"""The way to Redis: commands of all callers gathered into pipelines, and short deadlines.

No command is repeated: a reply that was lost may mean that the command was carried out, and a repeated
consume would then accuse its own caller of a replay. Instead a connection that was idle is proven before it
is used, so the first request after Redis came back finds a good one.

What a caller was told to be undone stays undone: each script carries the time of Redis' clock after which it does
nothing. That clock is asked for on the way, and the answer holds for a second.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from hiredis import pack_command
from latchpin.errors import BackendUnavailable
from latchpin.sdk.stores import Batcher, StoreDeadline, store_deadline
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from latchpin_redis_store.keys import PLAIN, Keys
from latchpin_redis_store.scripts import LATE, Script
from latchpin_redis_store.slots import Word

__all__ = ["BATCH_SECONDS", "Commands", "Question", "Reply", "Server", "Unreached", "reason_of"]

BATCH_SECONDS = 0.7
"""For one batch in all, connecting included. redis-py drops a connection whose reading was cut short."""

IDLE_SECONDS = 1.0
"""After so long a connection is asked for the time: which it is there, and whether the connection is still there. One
that a crashed host or a firewall forgot looks open until it is used."""

PROOF_SECONDS = 0.3
ANSWER_SECONDS = 1.6
"""Of Redis' silence, after which a caller is told: one batch that fails before it, its own, and never two seconds.
Waiting for one's turn in a queue that moves is no silence."""

BATCH_LIMIT = 500
LATE_TRIES = 3
"""A clock that was set shows itself in a script that comes too late, and is asked for again."""

SCANNED_AT_ONCE = 1000

Reply: TypeAlias = Any
"""What Redis answered; each caller knows the type of its own command's reply."""


def _pack(words: tuple[Word, ...]) -> bytes:
    return pack_command(words)  # type: ignore[arg-type, no-any-return]  # its stub takes one word only


_ASKING = _pack(("ASKING",))


@dataclass(frozen=True, slots=True)
class Question:
    """A command, and who waits for it. A script's words lack its deadline, which ``written`` adds.

    Attributes:
        words: the command.
        asker: what is left of the time in which its answer is of use.
        is_script: whether it changes what matters later.
        asking: sent to a server that is just being given the slot, as another one said.
    """

    words: tuple[Word, ...]
    asker: StoreDeadline
    is_script: bool = False
    asking: bool = False

    def written(self, there: int | None) -> bytes:
        """The command as it is sent, at the time ``there`` of Redis' clock in microseconds; None: unknown."""
        first = _ASKING if self.asking else b""
        if not self.is_script:
            return first + _pack(self.words)
        within = min(self.asker.left, BATCH_SECONDS)
        return first + _pack((*self.words, "" if there is None else there + int(within * 1e6)))


class Commands(ABC):
    """What the stores ask: of one server, or of a cluster.

    Args:
        shown_url: REDIS_URL with its password masked, for error texts.
    """

    kind: ClassVar[str] = "Redis"
    keys: ClassVar[Keys] = PLAIN
    """What the records' keys are called there."""

    def __init__(self, shown_url: str) -> None:
        self._shown_url = shown_url

    @abstractmethod
    async def submit(self, question: Question) -> Reply:
        """Send one command and return its reply.

        Raises:
            RedisError: there is no reply, or it is an error.
            OSError: there is no reply.
        """

    @abstractmethod
    async def ping(self) -> None:
        """Reach every server.

        Raises:
            RedisError: one is not there, or does not let us in.
            OSError: the same.
        """

    @abstractmethod
    def servers(self) -> Sequence[Commands]:
        """Each server that holds keys."""

    @abstractmethod
    def silence(self, words: Sequence[Word] = ()) -> Callable[[], bool]:
        """Give a question to repeat: was Redis asked, and has it answered nothing since the last time?

        Args:
            words: the command whose server is meant.
        """

    @abstractmethod
    async def close(self) -> None:
        """Send what is waiting."""

    async def ask(self, *words: Word) -> Reply:
        """Send one command that changes nothing, or nothing that could matter later, and return its reply.

        Raises:
            BackendUnavailable: there is no reply, or it is an error; the command may be carried out even now.
        """
        try:
            async with store_deadline(ANSWER_SECONDS, self.silence(words)) as asker:
                return await self.submit(Question(words, asker))
        except (RedisError, OSError) as exc:  # OSError: TimeoutError too
            raise self._unavailable(exc) from exc

    async def run(self, script: Script, keys: Sequence[str], *values: Word) -> Reply:
        """Run one script and return its reply.

        Raises:
            BackendUnavailable: there is no reply, or it is an error. It may have run, but does not any more.
        """
        words = ("EVAL", script, len(keys), *keys, *values)
        try:
            async with store_deadline(ANSWER_SECONDS, self.silence(words)) as asker:
                question = Question(words, asker, is_script=True)
                for _ in range(LATE_TRIES - 1):
                    with suppress(_Late):
                        return await self.submit(question)
                return await self.submit(question)
        except (RedisError, OSError) as exc:
            raise self._unavailable(exc) from exc

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Reply]:
        """Send several commands at once and return their replies in order; see ``ask``."""
        return await asyncio.gather(*(self.ask(*words) for words in commands))

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """The keys that fit, some at once, one server after the other; see ``ask``."""
        for server in self.servers():
            cursor = 0
            while True:
                cursor, keys = await server.ask("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED_AT_ONCE)
                cursor = int(cursor)
                yield keys
                if not cursor:
                    break

    def remedy_for(self, exc: Exception) -> str:
        """What an operator can do about an error."""
        if isinstance(exc, MovedError):
            return "Begin REDIS_URL with redis+cluster://, or rediss+cluster:// for TLS."
        return "Start Redis, or correct REDIS_URL."

    def _unavailable(self, exc: Exception) -> BackendUnavailable:
        error = BackendUnavailable(f"{self.kind} at {self._shown_url}: {reason_of(exc)}")
        error.operator_remedy = self.remedy_for(exc)
        return error


class Server(Commands):
    """One server, which is sent single commands in batches with whatever else is waiting.

    Args:
        client: an open client that does not retry.
        shown_url: REDIS_URL with its password masked, for error texts.
        replicas: how many must have what a script wrote before its caller is told.
    """

    def __init__(self, client: Redis, shown_url: str, *, replicas: int = 0) -> None:
        super().__init__(shown_url)
        self._client = client
        self._replicas = replicas
        self._told_at = -math.inf
        self._ahead: int | None = None
        self._asking = False
        self._answers = 0
        self._batcher: Batcher[Question, Reply] = Batcher(self._send, limit=BATCH_LIMIT)

    async def submit(self, question: Question) -> Reply:
        """Send it with the next batch."""
        return await self._batcher.submit(question)

    def servers(self) -> Sequence[Commands]:
        """This one."""
        return [self]

    async def ping(self) -> None:
        """Reach it."""
        async with store_deadline(ANSWER_SECONDS) as asker:
            (reply,) = await self._send([Question(("PING",), asker)])
        if isinstance(reply, RedisError):
            raise reply

    def silence(self, words: Sequence[Word] = ()) -> Callable[[], bool]:  # noqa: ARG002  it answers all of them
        """Was it asked, and has it answered nothing since the last time?"""
        known = self._answers

        def silent() -> bool:
            nonlocal known
            before, known = known, self._answers
            return self._asking and known == before

        return silent

    async def close(self) -> None:
        """Send what is waiting."""
        await self._batcher.close()

    async def leave(self) -> None:
        """Send what is waiting, and hang up."""
        await self.close()
        await self._client.aclose()

    async def _send(self, batch: Sequence[Question]) -> Sequence[Reply]:
        self._asking = True
        try:
            replies = await self._exchange(batch)
            self._answers += 1
        finally:
            self._asking = False
        return replies

    async def _exchange(self, batch: Sequence[Question]) -> Sequence[Reply]:
        pool = self._client.connection_pool
        async with store_deadline(BATCH_SECONDS):
            try:
                connection: AbstractConnection = await pool.get_connection()  # type: ignore[no-untyped-call]
            except (RedisConnectionError, OSError) as exc:
                raise _unreached(exc) from exc
            try:
                await self._meet(connection)
                waits = self._replicas > 0 and any(question.is_script for question in batch)
                written = b"".join(question.written(self._there()) for question in batch)
                await connection.send_packed_command(written + (self._wait() if waits else b""))
                replies = [await _answer(connection, question) for question in batch]
                if waits:
                    replies = self._kept(batch, replies, await _read(connection))
            except BaseException:
                self._told_at = -math.inf  # the next connection may lead to another server
                raise
            finally:
                await pool.release(connection)
        if any(isinstance(reply, _Late) for reply in replies):
            self._told_at = -math.inf  # somebody set its clock
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # It is a replica now; the name may lead to the new primary.
            await pool.disconnect(inuse_connections=False)
        return replies

    def _wait(self) -> bytes:
        """Ask how many replicas have all that was written on this connection, for half of a batch's time."""
        return _pack(("WAIT", self._replicas, int(BATCH_SECONDS * 500)))

    def _kept(self, batch: Sequence[Question], replies: list[Reply], have: Reply) -> list[Reply]:
        """The replies; that of a script is an error where too few replicas have what it wrote: it may be forgotten."""
        if isinstance(have, int) and have >= self._replicas:
            return replies
        reason = str(have) if isinstance(have, ResponseError) else f"{have} have it"
        lost = ResponseError(f"REDIS_WAIT_REPLICAS is {self._replicas}, and of the replicas {reason}")
        return [lost if question.is_script else reply for question, reply in zip(batch, replies, strict=True)]

    async def _meet(self, connection: AbstractConnection) -> None:
        """Ask for the time, if that was long ago; connect anew if the connection does not answer."""
        if asyncio.get_running_loop().time() - self._told_at < IDLE_SECONDS:
            return
        try:
            async with store_deadline(PROOF_SECONDS):
                await self._ask_time(connection)
        except (RedisError, OSError):
            await connection.disconnect(nowait=True)
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                await self._ask_time(connection)
            except (RedisConnectionError, OSError) as exc:
                raise _unreached(exc) from exc

    async def _ask_time(self, connection: AbstractConnection) -> None:
        await connection.send_packed_command(_pack(("TIME",)))
        reply = await _read(connection)
        self._told_at = asyncio.get_running_loop().time()
        if isinstance(reply, ResponseError):  # a user who may not ask
            self._ahead = None
        else:  # a little too low, by the way of the answer: a deadline is never later than meant
            self._ahead = int(reply[0]) * 1_000_000 + int(reply[1]) - int(self._told_at * 1e6)

    def _there(self) -> int | None:
        """What time it is by Redis' clock, in microseconds, or a little less; None if it does not tell."""
        return None if self._ahead is None else self._ahead + int(asyncio.get_running_loop().time() * 1e6)


class _Late(ResponseError):
    """A script came after its deadline, and did nothing."""


class Unreached(RedisConnectionError):
    """There is no connection: nothing was sent."""


def _unreached(exc: Exception) -> Exception:
    """What is raised for ``exc``, met while connecting. Who is not let in is told just that."""
    return exc if isinstance(exc, AuthenticationError) else Unreached(*exc.args)


async def _answer(connection: AbstractConnection, question: Question) -> Reply:
    if question.asking:
        await _read(connection)
    return await _read(connection)


async def _read(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response()
    except ResponseError as exc:  # this command's own; the others have their replies
        return _Late(*exc.args) if str(exc).startswith(LATE) else exc


_CODES: dict[type[Exception], str] = {MovedError: "MOVED ", ClusterDownError: "CLUSTERDOWN "}
"""What the client cuts off."""


def reason_of(exc: Exception) -> str:
    """The error in one line."""
    words = " ".join(str(exc).split())[:300]
    return f"{_CODES.get(type(exc), '')}{words}" if words else "no answer in time"
