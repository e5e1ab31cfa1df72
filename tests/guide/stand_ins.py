"""Small programs that take the guide's command lines, and one of docs/back-up.md, where a machine lacks the
real ones: ``stand_ins.py NAME ...``.

Each is given the arguments and the input that the real program would get, and speaks to the real server. They read as
little of the real programs' languages as the guide uses; what they do not know they refuse.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit


def curl() -> None:
    """``curl -s [-H HEADER] URL``: the body of a GET, from the test's gateway, whatever the URL's port."""
    words, headers, urls = iter(sys.argv[1:]), {}, []
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word.startswith("http://"):
            urls.append(urlsplit(word))
        elif word != "-s":
            sys.exit(f"this stand-in knows -s and -H; it was given: {word}")
    (url,) = urls
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["GUIDE_GATEWAY_PORT"]), timeout=60)
    connection.request("GET", url.path, headers={"Host": url.netloc, "Accept": "*/*"} | headers)
    sys.stdout.buffer.write(connection.getresponse().read())


def jq() -> None:
    """``jq`` without a filter: JSON, pretty-printed."""
    if sys.argv[1:]:
        sys.exit(f"this stand-in knows no filters; it was given: {sys.argv[1:]}")
    sys.stdout.write(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False) + "\n")


def ps() -> None:
    """``ps aux``: each process's id and command line, from /proc."""
    if sys.argv[1:] != ["aux"]:
        sys.exit(f"this stand-in knows aux; it was given: {sys.argv[1:]}")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
            sys.stdout.write(f"user {process.name} {words.decode(errors='replace')}\n")


def shown(value: object) -> str:
    """A value as psql prints it unaligned."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


def psql() -> None:
    """``psql [-At] [-c SQL]``: one statement from the argument or standard input; PGHOST and so on name the server."""
    import psycopg  # only where there is a PostgreSQL

    arguments = [word for word in sys.argv[1:] if word != "-At"]
    if arguments and (arguments[0] != "-c" or len(arguments) != 2):
        sys.exit(f"this stand-in knows -At and -c; it was given: {sys.argv[1:]}")
    text = arguments[1] if arguments else sys.stdin.read()
    with psycopg.connect("", autocommit=True) as connection:
        cursor = connection.execute(text)
        if cursor.description is None:
            sys.stdout.write(f"{cursor.statusmessage}\n")
            return
        for row in cursor:
            sys.stdout.write("|".join(shown(value) for value in row) + "\n")


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


def save_snapshot(url: SplitResult, file: Path) -> None:
    """Say SYNC, as a replica would, and write the snapshot that comes."""
    with socket.create_connection((url.hostname or "", url.port or 6379), timeout=60) as connection:
        connection.sendall(b"SYNC\r\n")
        with connection.makefile("rb") as reply:
            line = reply.readline()
            while not line.startswith(b"$"):  # line ends, while the server makes the snapshot
                assert line == b"\n", line
                line = reply.readline()
            file.write_bytes(reply.read(int(line[1:])))


def redis_cli() -> None:
    """``redis-cli``: ping, keys, ttl, get and del, one command a run, answered as to a pipe; and ``--rdb``."""
    words = sys.argv[1:]
    if len(words) == 4 and words[::2] == ["-u", "--rdb"]:
        save_snapshot(urlsplit(words[1]), Path(words[3]))
        return
    if not words or words[0].lower() not in KNOWN:
        sys.exit(f"this stand-in knows {', '.join(sorted(KNOWN))}; it was given: {' '.join(words)}")
    for line in ask(int(os.environ["GUIDE_REDIS_PORT"]), words):
        sys.stdout.buffer.write(line + b"\n")


def sqlite() -> None:
    """``sqlite3 FILE [SQL]``: statements from the argument or from standard input, rows as ``a|b|c``."""
    file, *given = sys.argv[1:]
    if not Path(file).is_file() or len(given) > 1:
        sys.exit(f"this stand-in takes a file that exists and at most one argument; it was given: {sys.argv[1:]}")
    text = given[0] if given else sys.stdin.read()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as connection:
        for row in connection.execute(text):
            sys.stdout.write("|".join("" if value is None else str(value) for value in row) + "\n")


PROGRAMS = {"curl": curl, "jq": jq, "ps": ps, "psql": psql, "redis-cli": redis_cli, "sqlite3": sqlite}

if __name__ == "__main__":
    PROGRAMS[sys.argv.pop(1)]()
