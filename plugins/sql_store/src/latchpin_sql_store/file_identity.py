"""Is an SQLite file still the one that was opened?

Who removes, moves or replaces a file does not disturb those who have it open: they would go on with a file that has
no name, and all they write is gone when they end. The same holds for its log and that log's index, which stay where
they are as long as somebody has the database open.
"""

from __future__ import annotations

import os
from pathlib import Path

from latchpin.errors import BackendUnavailable

__all__ = ["PinnedFile"]

_NEIGHBOURS = ("", "-wal", "-shm")
_AGAIN = (
    "Stop every gateway that works on it, put the right file in its place, without another one's -wal and -shm, and "
    "start again."
)

Identity = tuple[int, int]


class PinnedFile:
    """The file of a database, and its neighbours.

    Args:
        file: which; None for a database server, of which there is nothing to check.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, Identity] = {}

    def pin(self) -> None:
        """Remember which files these are.

        Call it while a connection is open that has read: the neighbours are there then. One that is not, because the
        database has no write-ahead log, is not asked for later.
        """
        paths = [f"{self._file}{name}" for name in _NEIGHBOURS] if self._file is not None else []
        self._known = {path: found for path in paths if (found := _identify(path)) is not None}

    def check(self) -> None:
        """See that they are still the same.

        Raises:
            BackendUnavailable: one was removed, or is another one.
        """
        for path, before in self._known.items():
            now = _identify(path)
            if now != before:
                became = "was removed" if now is None else "was replaced by another"
                found = BackendUnavailable(f"the SQLite file {path} {became} while the gateway runs", hint=_AGAIN)
                found.operator_remedy = _AGAIN
                raise found


def _identify(path: str) -> Identity | None:
    """The device and inode of a file, None if none can be seen there."""
    try:
        status = os.stat(path)  # noqa: PTH116  for each transaction: as cheap as it can be
    except OSError:
        return None
    return status.st_dev, status.st_ino
