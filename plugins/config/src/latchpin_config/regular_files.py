"""Files that somebody else named: only regular ones are read, and no more of one than was agreed to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["NotRegular", "read_regular"]


class NotRegular(Exception):
    """There is something else than a file with content, such as a pipe or a device."""


def read_regular(file: Path, most: int) -> bytes:
    """The first ``most`` bytes of a regular file.

    Raises:
        NotRegular: it is none.
        OSError: it cannot be read.
    """
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegular
        return opened.read(most)
