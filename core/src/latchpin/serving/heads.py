"""An answer's head goes out with what follows it: uvicorn writes the two one after the other."""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["HeadFirst"]


class Answer(Protocol):
    """What uvicorn knows of an answer.

    Attributes:
        chunked_encoding: False: its head says how long it is.
    """

    chunked_encoding: bool | None


class HeadFirst(asyncio.Transport):
    """A connection's transport as one answer has it: the head waits for what follows.

    It waits until the loop's next round, or, where it says how long the answer is, for what follows or the end.

    What it buys: a short answer is one system call and one packet, and not two of each.
    """

    __slots__ = ("_answer", "_head", "_loop", "_transport", "_waits")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._answer = answer
        self._waits = True
        self._head: bytes | bytearray | memoryview = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write; keep the first, until there is a second."""
        if self._head:
            head, self._head = self._head, b""
            if self._transport.is_closing():  # not every loop's ``writelines`` looks whether the peer is gone
                return
            if data:
                self._transport.writelines((head, data))
            else:
                self._transport.write(head)
        elif self._waits:
            self._waits = False
            self._head = data
            if self._answer.chunked_encoding is not False:
                self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        if self._head:
            head, self._head = self._head, b""
            if not self._transport.is_closing():
                self._transport.write(head)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close, once all is written."""
        self.flush()
        self._transport.close()
