"""The access log: a line for each request, written some at a time.

What it buys: a line by itself costs 40 us, more than a short answer, in code that is not at hand and in system calls;
written together they cost 10. A line waits for ``SECONDS`` at most, and goes out before any other line that is told
after it, so their order stays. What it may cost: a process that is killed loses what waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context
from logging.handlers import WatchedFileHandler
from typing import Any, NamedTuple

__all__ = ["SECONDS", "AccessLines", "JoiningFile", "JoiningStream", "access_lines"]

SECONDS = 0.05

_access = logging.getLogger("latchpin.access")
_TEXT = "%s %s %s %s %.1fms%s"


class _Line(NamedTuple):
    """One line.

    Attributes:
        at: when it was told, in seconds since 1970.
        facts: the client's address, method, path, status, milliseconds, and what it belongs to.
        extra: what a log in JSON has in members of their own.
    """

    at: float
    facts: tuple[object, ...]
    extra: Mapping[str, object]


class AccessLines:
    """Those of this process. Each goes out at once, except between the two ends of ``gathered``."""

    def __init__(self) -> None:
        self._gathers = False
        self._waiting: list[_Line] = []

    @property
    def wanted(self) -> bool:
        """Whether LOG_LEVEL lets them pass."""
        return _access.isEnabledFor(logging.INFO)

    def tell(self, facts: tuple[object, ...], extra: Mapping[str, object]) -> None:
        """Write a line, now or in a moment; in the event loop's thread."""
        line = _Line(time.time(), facts, extra)
        self._waiting.append(line)  # nothing between the two names: another thread may write what waits
        if not self._gathers:
            self.write()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(SECONDS, self.write)

    def write(self) -> None:
        """Write all that wait."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            Context().run(_write_together, waiting)  # the flow that is under way here is not theirs

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Let lines wait, in an event loop. At the end all are written."""
        self._gathers = True
        try:
            yield
        finally:
            self._gathers = False
            self.write()


access_lines = AccessLines()


def _write_together(lines: list[_Line]) -> None:
    """Write them as ``Logger.handle`` would one by one; what is the same for all of them is judged once."""
    common = _access.makeRecord(_access.name, logging.INFO, __file__, 0, _TEXT, (), None)
    with ExitStack() as stack:
        joined: list[tuple[JoiningStream, list[str]]] = []
        others: list[logging.Handler] = []
        for handler in _handlers():
            if isinstance(handler, JoiningStream):
                held = stack.enter_context(handler.joined())
                if handler.filter(common):
                    joined.append((handler, held))
            else:
                others.append(handler)
        for line in lines:
            record = _record(line, common)
            if _access.filters and not _access.filter(record):
                continue
            for joining, held in joined:
                held.append(joining.format(record))
            for handler in others:
                handler.handle(record)


def _handlers() -> list[logging.Handler]:
    """Those of the access lines' logger, and of the loggers above it."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = _access
    while logger is not None:
        found += [handler for handler in logger.handlers if handler.level <= logging.INFO]
        logger = logger.parent if logger.propagate else None
    return found


def _record(line: _Line, common: logging.LogRecord) -> logging.LogRecord:
    """The record of one line; ``common`` has what those of one moment have in common. To make one anew costs 5 us."""
    made = common.__class__.__new__(common.__class__)
    made.__dict__.update(common.__dict__, args=line.facts, created=line.at, msecs=line.at % 1 * 1000, **line.extra)
    return made


class JoiningStream(logging.StreamHandler[Any]):
    """A handler that can write several lines at once. Access lines that wait go out before any other line."""

    _held: list[str] | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Take the line. The lock is not held yet: two threads that take those of all handlers need one order."""
        if self._held is None and record.name != _access.name:
            access_lines.write()
        return super().handle(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, or hold it for the others. The handler's lock is held."""
        if self._held is not None:
            self._held.append(self.format(record))
        else:
            super().emit(record)

    @contextmanager
    def joined(self) -> Iterator[list[str]]:
        """Hold what is told, and write it at the end: give the list that holds the lines."""
        self.acquire()
        self._held = []
        try:
            yield self._held
        finally:
            held, self._held = self._held, None
            try:
                self.write_lines("".join(line + self.terminator for line in held))
            except Exception:  # noqa: BLE001  as the standard library's handlers do
                self.handleError(_access.makeRecord(_access.name, logging.INFO, __file__, 0, "access lines", (), None))
            finally:
                self.release()

    def write_lines(self, lines: str) -> None:
        """Write them."""
        self.stream.write(lines)
        self.flush()


class JoiningFile(JoiningStream, WatchedFileHandler):
    """The same into a file that may be moved away."""

    def write_lines(self, lines: str) -> None:
        """Write them, into the file that has the name now."""
        self.reopenIfNeeded()
        super().write_lines(lines)
