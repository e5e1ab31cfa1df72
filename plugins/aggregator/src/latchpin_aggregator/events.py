"""The events of a stream (HTML standard, server-sent events), each when its blank line has come. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Event", "Events"]

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
_LINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        raw: as it came, with its end.
        data: its data; empty for what is only there to keep the connection.
    """

    raw: bytes
    data: bytes

    def with_data(self, data: bytes) -> bytes:
        """The event as it came, with other data."""
        others = [line for line in _LINE.split(self.raw) if line and line.partition(b":")[0] != b"data"]
        lines = [b"data: " + line for line in _LINE.split(data)]
        return b"".join(line + b"\n" for line in (*others, *lines)) + b"\n"


class Events:
    """Takes a stream apart."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """How many bytes wait for the end of their event."""
        return len(self._held)

    def feed(self, piece: bytes, *, last: bool = False) -> list[Event]:
        """The events that end in ``piece``; with ``last`` also the one that never ended."""
        looked_at = max(0, len(self._held) - 3)  # no event ends before that
        self._held += piece
        events, at = [], 0
        for end in _END.finditer(self._held, looked_at):
            events.append(_event(bytes(self._held[at : end.end()])))
            at = end.end()
        self._held = self._held[at:]
        if last and self._held:
            events.append(_event(bytes(self._held)))
            self._held.clear()
        return events


def _event(raw: bytes) -> Event:
    lines = [line for line in _LINE.split(raw) if line.partition(b":")[0] == b"data"]
    return Event(raw, b"\n".join(line.partition(b":")[2].removeprefix(b" ") for line in lines))
