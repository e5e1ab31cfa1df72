"""Records of calls as JSON lines, in a file or on standard output."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from latchpin.errors import SettingsError

from latchpin_audit.call_record import CallRecord
from latchpin_audit.own_thread import OwnThread

__all__ = ["LinesSink", "write_line"]

STDOUT = 1
AT_ONCE = 4_096
"""What a pipe takes in one piece, in bytes (``PIPE_BUF`` on Linux): else the lines of two workers would mix."""


def write_line(record: CallRecord) -> bytes:
    """A record as a line. It is ASCII: whatever a name holds, it is no line's end and no control character."""
    return json.dumps(record.members(), separators=(",", ":")).encode() + b"\n"


class LinesSink:
    """Implements ``latchpin_audit.outbox.Sink``.

    A file that is moved away is let go, and one of its name begun, at the next write; one that is cut off is gone on
    with from its new end.

    Args:
        path: of the file; None: standard output.

    Raises:
        SettingsError: it cannot be opened.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file = STDOUT
        self._torn = False
        if path is not None:
            try:
                self._file = _open(path)
            except OSError as exc:
                text = f"AUDIT_CALLS_FILE {path} cannot be written: {exc.strerror}"
                raise SettingsError(text, public=text, remedy="Name a file that the gateway's user can write.") from exc
        self._thread = OwnThread("latchpin-audit-lines")

    async def write(self, records: Sequence[CallRecord]) -> None:
        """Write them. Raises OSError."""
        await self._thread.run(lambda: self._write([write_line(record) for record in records]))

    async def close(self) -> None:
        """Close the file, once what hangs has ended."""
        self._thread.close()

    def _write(self, lines: list[bytes]) -> None:
        if self._path is not None:
            self._reopen(self._path)
        whole = stat.S_ISREG(os.fstat(self._file).st_mode)
        for piece in [b"".join(lines)] if whole else _pieces(lines):
            self._write_all(b"\n" + piece if self._torn else piece)

    def _write_all(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            self._torn = len(left) < len(piece)
            left = left[os.write(self._file, left) :]
        self._torn = False

    def _reopen(self, path: str) -> None:
        """Go on in the file that has the name now."""
        try:
            named, held = Path(path).stat(), os.fstat(self._file)
            if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino):
                return
        except FileNotFoundError:
            pass
        opened = _open(path)
        os.close(self._file)
        self._file, self._torn = opened, False


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    """Whole lines, as many as go in one piece."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > AT_ONCE:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
