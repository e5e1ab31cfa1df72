"""Tells plugins of MCP calls: one that fails is logged and disturbs nothing. Without any, nothing is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from latchpin.activity.call_reading import AnswerReading, clip, read_message
from latchpin.contracts.calls import CallObserver, CallOutcome, McpCall
from latchpin.errors import LatchpinError
from latchpin.model import Gateway

__all__ = ["CallObservers", "NotKept", "WatchedCall"]

_log = logging.getLogger("latchpin.observers")

_FAILED = "The call observer %s failed at %s; nothing else is disturbed. Update or uninstall its distribution"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
End = Callable[[], Awaitable[None] | None]


class NotKept(ConnectionError):
    """An answer that had begun is not given out to its end: who has to know of the call could not be told."""


class CallObservers:
    """Those of a gateway, by what they and their plugins are called, in the order of their rank. False without any.

    Attributes:
        sees_all: no call may pass by them.
        follows: some of them are told of the client side.
    """

    def __init__(self, observers: Mapping[str, CallObserver] = MappingProxyType({})) -> None:
        self._observers: dict[str, CallObserver] = {}
        self.sees_all = self.follows = False
        for name, observer in observers.items():
            self.add(name, observer)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, name: str, observer: CallObserver) -> None:
        """Tell one more from now on."""
        self._observers[name] = observer
        self.sees_all = self.sees_all or observer.sees_all
        self.follows = self.follows or observer.follows

    def watch(self, call: McpCall, send: Send) -> WatchedCall:
        """Watch a call whose answer is given to ``send``."""
        return WatchedCall(self._observers, call, send)


class WatchedCall:
    """A call from its first byte to its last.

    The endpoint reads its message with ``read`` as soon as it has come, gives the answer to ``send``, and ends it with
    ``end`` whatever happens.

    Attributes:
        call: what is known of it.
    """

    __slots__ = ("_answer", "_began", "_ends", "_head", "_observers", "_send", "_told", "call")

    def __init__(self, observers: Mapping[str, CallObserver], call: McpCall, send: Send) -> None:
        self.call = call
        self._observers = observers
        self._send = send
        self._began = time.perf_counter()
        self._answer = AnswerReading()
        self._head: Message | None = None
        self._ends: list[tuple[str, End]] | None = None
        self._told = False

    def read(self, body: bytes | None) -> None:
        """Read the message; None: it is too large to be held. Observers are told that it begins."""
        call, read = self.call, read_message(body)
        call.method, call.name, call.id, call.params, version, carried, answers = read
        call.version = version or clip(call.version)
        if carried:
            call.carried = dict(carried)
        call.request_bytes = 0 if body is None else len(body)
        self._answer.answers = answers
        self._begin()

    def found(self, gateway: Gateway, name: str | None) -> None:
        """Say whose call it is, and what that server calls what it is about; None: what the message says."""
        self.call.gateway = gateway
        if name is not None:
            self.call.name = clip(name)

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
        if message["type"] == "http.response.start":
            if self._told or self._answer.begin(message["status"], message.get("headers", ())):
                await self._send(message)
            else:
                self._head = message  # it comes with the body: until then the answer may still be another
            return
        body = message.get("body", b"")
        if body:
            self.call.response_bytes += len(body)
            self._answer.feed(body)
        if not message.get("more_body", False) or (self._answer.answered and not self._told):
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
        for name, observer in self._observers.items():
            try:
                end = observer.begin(self.call)
            except Exception:  # noqa: BLE001  an observer may fail in any way
                _log.exception(_FAILED, name, "a beginning")
                continue
            if end is not None:
                self._ends.append((name, end))

    async def _tell(self, *, whole: bool) -> None:
        """Tell observers, the last first, and wait for those who want that."""
        if self._told or (self._ends is None and self.call.side == "client"):
            return
        self._told = True
        if self._ends is None:
            self._begin()
        call = self.call
        call.seconds = time.perf_counter() - self._began
        self.mark(*self._answer.outcome(whole=whole))
        for name, end in reversed(self._ends or ()):
            waits = _end(name, end)
            if waits is not None:
                await self._wait(waits)

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
