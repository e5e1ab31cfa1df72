"""What an operator can do about an error of a driver: it names the server, the file or the disk.

Told where the gateway runs (terminal, log, doctor), never in an answer.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from sqlalchemy import URL, make_url

__all__ = ["NO_OPTION", "remedy_for"]

_NO_ACCESS = frozenset({"28000", "28P01", "42501", "1044", "1045", "1698"})
_NO_DATABASE = frozenset({"3D000", "1049"})
_OTHER_TABLES = frozenset({"42P01", "42P07", "42701", "42703", "1050", "1054", "1060", "1146"})
"""A table or column that is missing, or there already: what was made is not what the schema's number says."""
_FULL = frozenset({"53100", "1021", "1114", "28"})
_TOO_MANY = frozenset({"53300", "1040", "1203"})
NO_OPTION = "invalid connection option"
_NO_OPTION_VALUE = "connection is bad: invalid "
"""How libpq speaks of its options before it asks any server."""
_SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR")
_SQLITE_CLOSED = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")
_SQLITE_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_READONLY_DBMOVED", "SQLITE_IOERR_SHORT_READ")
_SQLITE_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


def remedy_for(code: str, words: str, where: str) -> str:
    """The one action that helps.

    Args:
        code: the driver's; a driver that could not connect has none.
        words: the driver's text, as it may be shown.
        where: the database's URL, without its password.
    """
    url = make_url(where)
    if url.get_backend_name() == "sqlite":
        return _for_file(code, Path(url.database or ""))
    if words.startswith((NO_OPTION, _NO_OPTION_VALUE)):
        return "Correct what stands after the ? in DATABASE_URL, as in ?sslmode=require"
    return _for_server(code, words, url)


def _for_server(code: str, words: str, url: URL) -> str:
    place = f"{url.host or 'localhost'}:{url.port or _PORTS[url.get_backend_name()]}"
    if code in _FULL:
        return f"Free space on the disk of the database server {place}."
    if code in _TOO_MANY:
        return f"Let the database server {place} take more connections, or run fewer workers (WORKERS)."
    if code in _NO_DATABASE or "does not exist" in words:
        return f"Create the database and its user on {place}, or correct them in DATABASE_URL."
    if code in _NO_ACCESS or "authentication failed" in words:
        return f"Correct user and password in DATABASE_URL, or what {url.username or 'the user'} may do on {place}."
    if code in _OTHER_TABLES:
        return (
            "Its tables are not those of its schema: put the database back from a backup, or name another one in "
            "DATABASE_URL."
        )
    return f"Start the database server on {place}, or correct host and port in DATABASE_URL."


_PORTS = {"postgresql": 5432, "mysql": 3306}


def _for_file(code: str, file: Path) -> str:
    folder = quote(str(file.parent))
    if code.startswith(_SQLITE_DAMAGED):  # before the families that some of these names belong to
        return (
            f"Put a backup in the place of {file} while no gateway runs and without {file}-wal and {file}-shm, or name "
            "another file in DATABASE_URL."
        )
    if code.startswith(_SQLITE_FULL):
        return f"Free space on the disk of {file}; see: df -h {folder}"
    if code.startswith(_SQLITE_CLOSED):
        return (
            f"Let the user who runs the gateway write {file} and its folder, or name another file in DATABASE_URL; "
            f"see: ls -la {folder}"
        )
    if code.startswith(_SQLITE_BUSY):
        return f"End the program that holds {file} locked; see: fuser {quote(str(file))}"
    return f"See whether {file} is there and can be read: sqlite3 {quote(str(file))} 'PRAGMA quick_check'"
