"""``sqlite3 FILE [SQL]``: statements from the argument or from standard input, rows as ``a|b|c``."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path


def main() -> None:
    """Run the statements."""
    file, *given = sys.argv[1:]
    if not Path(file).is_file() or len(given) > 1:
        sys.exit(f"this stand-in takes a file that exists and at most one argument; it was given: {sys.argv[1:]}")
    text = given[0] if given else sys.stdin.read()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as connection:
        for row in connection.execute(text):
            sys.stdout.write("|".join("" if value is None else str(value) for value in row) + "\n")


main()
