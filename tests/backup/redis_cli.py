"""A small ``redis-cli -u URL --rdb FILE`` for machines without the real one: it asks the real server for its data.

It does what the real one does: it says SYNC, as a replica would, and writes the snapshot that comes.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    """See the module's text."""
    match sys.argv[1:]:
        case ["-u", url, "--rdb", file]:
            parts = urlsplit(url)
        case words:
            sys.exit(f"this stand-in knows -u URL --rdb FILE; it was given: {words}")
    with socket.create_connection((parts.hostname or "", parts.port or 6379), timeout=60) as connection:
        connection.sendall(b"SYNC\r\n")
        with connection.makefile("rb") as reply:
            line = reply.readline()
            while not line.startswith(b"$"):  # line ends, while the server makes the snapshot
                assert line == b"\n", line
                line = reply.readline()
            Path(file).write_bytes(reply.read(int(line[1:])))


if __name__ == "__main__":
    main()
