"""``ps aux``: each process's id and command line, from /proc."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def main() -> None:
    """List the processes."""
    if sys.argv[1:] != ["aux"]:
        sys.exit(f"this stand-in knows aux; it was given: {sys.argv[1:]}")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
            sys.stdout.write(f"user {process.name} {words.decode(errors='replace')}\n")


main()
