"""``redis-cli``: ping, keys, ttl, get and del, one command a run, answered as to a pipe."""

from __future__ import annotations

import os
import socket
import sys
from typing import BinaryIO

KNOWN = frozenset({"ping", "keys", "ttl", "get", "del"})


def ask(port: int, words: list[str]) -> list[bytes]:
    """Send one command and return the lines of its reply."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, connection.makefile("rb") as reply:
        encoded = [word.encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
        return read(reply)


def read(reply: BinaryIO) -> list[bytes]:
    """One reply of the protocol (RESP2), flat."""
    kind, rest = (line := reply.readline().rstrip(b"\r\n"))[:1], line[1:]
    if kind == b"$":
        return [b""] if rest == b"-1" else [reply.read(int(rest) + 2)[:-2]]
    if kind == b"*":
        return [line for _ in range(int(rest)) for line in read(reply)]
    if kind == b"-":
        sys.exit(f"(error) {rest.decode()}")
    return [rest]


def main() -> None:
    """Run the command that the arguments are."""
    words = sys.argv[1:]
    if not words or words[0].lower() not in KNOWN:
        sys.exit(f"this stand-in knows {', '.join(sorted(KNOWN))}; it was given: {' '.join(words)}")
    for line in ask(int(os.environ["GUIDE_REDIS_PORT"]), words):
        sys.stdout.buffer.write(line + b"\n")


main()
