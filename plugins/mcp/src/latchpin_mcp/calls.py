"""Tells plugins of MCP calls: one that fails is logged and disturbs nothing. Without any, nothing is done.

An endpoint has each exchange that a caller begins watched, once::

    watched = calls.watch(McpCall("server", caller, endpoint=path), send, scope["headers"])
    try:
        watched.read(body)
        ...  # answers to watched.send; watched.found says whose call it is
    finally:
        await watched.end()

Where nobody has to know at once, calls are read and told of some at a time, as access lines are written: code and data
that are at hand then take a third of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from latchpin.contracts import CallObserver, CallOutcome, McpCall
from latchpin.errors import LatchpinError
from latchpin.model import Gateway

from latchpin_mcp.call_reading import AnswerReading, clip, read_message

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Services

__all__ = ["CallObservers", "NotKept", "WatchedCall", "open_calls"]

_log = logging.getLogger("latchpin.observers")

_FAILED = "The call observer %s failed at %s; nothing else is disturbed. Update or uninstall its distribution"

Message = MutableMapping[str, Any]
Fields = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
SECONDS = 0.05
"""How long a call that has ended waits to be told."""
SOON = 16_384
"""A message that is larger is read at once: it is not kept until then. In bytes."""

End = Callable[[], Awaitable[None] | None]


class NotKept(ConnectionError):
    """An answer that had begun is not given out to its end: who has to know of the call could not be told."""


class CallObservers:
    """Those of a gateway, by what they and their plugins are called, in the order of their rank. False without any.

    Attributes:
        observers: they.
        at_once: some of them are told while a call goes on.
        sees_all: no call may pass by them.
        follows: some of them are told of the client side.
    """

    def __init__(self, observers: Mapping[str, CallObserver] = MappingProxyType({})) -> None:
        self.observers: dict[str, CallObserver] = {}
        self.at_once = self.sees_all = self.follows = False
        self._ended: list[WatchedCall] = []
        for name, observer in observers.items():
            self.add(name, observer)

    def __bool__(self) -> bool:
        return bool(self.observers)

    def add(self, name: str, observer: CallObserver) -> None:
        """Tell one more from now on."""
        self.observers[name] = observer
        self.at_once = self.at_once or observer.at_once
        self.sees_all = self.sees_all or observer.sees_all
        self.follows = self.follows or observer.follows

    def watch(self, call: McpCall, send: Send, fields: Fields = ()) -> WatchedCall:
        """Watch a call whose answer is given to ``send``; ``fields`` are its header fields, names in lower case."""
        return WatchedCall(self, call, send, fields)

    def note(self, ended: WatchedCall) -> None:
        """Tell of a call in a moment; in the event loop's thread."""
        self._ended.append(ended)
        if len(self._ended) == 1:
            asyncio.get_running_loop().call_later(SECONDS, self.tell)

    def tell(self) -> None:
        """Tell of all that have ended."""
        ended, self._ended = self._ended, []
        for each in ended:
            each.tell_late()


class WatchedCall:
    """A call from its first byte to its last.

    The endpoint reads its message with ``read`` as soon as it has come, gives the answer to ``send``, and ends it with
    ``end`` whatever happens.

    Attributes:
        call: what is known of it.
    """

    __slots__ = (
        "_all",
        "_answer",
        "_began",
        "_body",
        "_ends",
        "_fields",
        "_head",
        "_name",
        "_send",
        "_told",
        "_whole",
        "call",
    )

    def __init__(self, observers: CallObservers, call: McpCall, send: Send, fields: Fields) -> None:
        self.call = call
        self._fields = fields
        self._all = observers
        self._body: bytes | None = None
        self._name: str | None = None
        self._whole = False
        self._send = send
        self._began = time.perf_counter()
        self._answer = AnswerReading()
        self._head: Message | None = None
        self._ends: list[tuple[str, End]] | None = None
        self._told = False

    def read(self, body: bytes | None) -> None:
        """Read the message; None: it is too large to be held. Observers are told that it begins."""
        if body is not None:
            self.call.request_bytes = len(body)
            if not self._all.at_once and len(body) <= SOON:
                self._body = body
                return
        self._read(body)
        self._begin()

    def _read(self, body: bytes | None) -> None:
        call, read = self.call, read_message(body)
        call.method, call.name, call.id, call.params, version, carried, answers = read
        call.version = version
        if carried:
            call.carried = dict(carried)
        if self._name is not None:
            call.name = self._name
        self._answer.answers = answers

    def found(self, gateway: Gateway, name: str | None) -> None:
        """Say whose call it is, and what that server calls what it is about; None: what the message says."""
        self.call.gateway = gateway
        if name is not None:
            self._name = self.call.name = clip(name)

    def mark(self, outcome: CallOutcome, error: str = "") -> None:
        """Say what became of it, where the answer does not; the first word counts."""
        if not self.call.outcome:
            self.call.outcome, self.call.error = outcome, error

    def noting(self, receive: Receive) -> Receive:
        """What gives the request, and takes the call for cancelled where its sender leaves before its end."""

        async def noted() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.mark("cancelled")
            return message

        return noted

    async def send(self, message: Message) -> None:
        """Give a part of the answer out (ASGI); the last of it once observers were told.

        Raises:
            LatchpinError: an observer must keep the call, and cannot; nothing of the answer was given out.
            NotKept: the same, when some of it was.
        """
        if self._told:
            await self._send(message)
            return
        if message["type"] == "http.response.start":
            if self._answer.begin(message["status"], message.get("headers", ())):
                await self._send(message)
            else:
                self._head = message  # it comes with the body: until then the answer may still be another
            return
        body = message.get("body", b"")
        if body:
            self.call.response_bytes += len(body)
            if not self.call.outcome:
                self._answer.feed(body)
        if self._answer.answered or not message.get("more_body", False):
            await self._tell(whole=True)
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        await self._send(message)

    async def end(self) -> None:
        """It has ended, however: observers are told, unless they were."""
        try:
            await self._tell(whole=False)
        except (LatchpinError, NotKept) as exc:
            _log.warning("A call that was broken off could not be kept: %s", exc)

    def _begin(self) -> None:
        self._ends = []
        for field, value in self._fields:
            if field == b"mcp-session-id":
                self.call.session = value.decode("latin-1")
            elif field == b"mcp-protocol-version" and not self.call.version:
                self.call.version = clip(value.decode("latin-1"))
        for name, observer in self._all.observers.items():
            try:
                end = observer.begin(self.call)
            except Exception:  # noqa: BLE001  an observer may fail in any way
                _log.exception(_FAILED, name, "a beginning")
                continue
            if end is not None:
                self._ends.append((name, end))

    async def _tell(self, *, whole: bool) -> None:
        """Tell observers, and wait for those who want that."""
        if self._told or (self._ends is None and self.call.side == "client"):
            return
        self._told = True
        self.call.seconds = time.perf_counter() - self._began
        if self._body is not None:
            self._whole = whole
            self._all.note(self)
            return
        if self._ends is None:
            self._begin()
        failed: LatchpinError | NotKept | None = None
        for waits in self._finish(whole=whole):
            try:
                await self._wait(waits)
            except (LatchpinError, NotKept) as exc:
                failed = failed or exc
        if failed is not None:
            raise failed

    def tell_late(self) -> None:
        """Read the message and tell observers, after all has ended."""
        self._read(self._body)
        self._begin()
        self._finish(whole=self._whole)

    def _finish(self, *, whole: bool) -> list[Awaitable[None]]:
        """Tell all observers, the last first, whatever one of them then fails at; return what is to be waited for."""
        self.mark(*self._answer.outcome(whole=whole))
        ended = [_end(name, end) for name, end in reversed(self._ends or ())]
        return [waits for waits in ended if waits is not None]

    async def _wait(self, waits: Awaitable[None]) -> None:
        try:
            await waits
        except LatchpinError as exc:
            if self._head is not None:
                self._head = None
                raise
            raise NotKept(exc.detail or exc.public) from exc


def _end(name: str, end: End) -> Awaitable[None] | None:
    try:
        return end()
    except Exception:  # noqa: BLE001  as above
        _log.exception(_FAILED, name, "an end")
        return None


async def open_calls(services: Services) -> CallObservers:
    """The call observers of a gateway, every time the same; those who are told late hear of the last call, too."""
    return await services.context.shared("latchpin_mcp calls", partial(_opened, services.call_observers))


@contextlib.asynccontextmanager
async def _opened(observers: Mapping[str, CallObserver]) -> AsyncIterator[CallObservers]:
    calls = CallObservers(observers)
    try:
        yield calls
    finally:
        calls.tell()
