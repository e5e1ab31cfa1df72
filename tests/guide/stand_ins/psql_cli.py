"""``psql [-At] [-c SQL]``: one statement from the argument or from standard input; the server from PGHOST and so on."""

from __future__ import annotations

import sys

import psycopg


def shown(value: object) -> str:
    """A value as psql prints it unaligned."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


def main() -> None:
    """Run the statement."""
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


main()
