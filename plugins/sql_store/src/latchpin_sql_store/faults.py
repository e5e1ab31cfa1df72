"""What a driver's error means for us. No error of a driver leaves this plugin.

Drivers quote rows and values in their messages, so a message is passed on only where it can say nothing
but where the server is and why it cannot be reached; of all others only the code goes out.
"""

from __future__ import annotations

import sqlite3
from enum import Enum, auto

from latchpin.errors import BackendUnavailable, InvalidRequest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError

from latchpin_sql_store.remedies import NO_OPTION, remedy_for

__all__ = ["Duplicate", "Fault", "Unstorable", "is_out_of_place", "judge", "unavailable"]

# PostgreSQL's serialization failure and deadlock; MariaDB's deadlock and "changed since last read"; SQLite's locks.
_REPEATABLE = frozenset({"40001", "40P01", "1213", "1020", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY"})
# Too long, not text, out of range: SQLSTATE classes 22 and 54, MariaDB's and SQLite's own codes.
_UNSTORABLE = frozenset({"1406", "1366", "1264", "SQLITE_TOOBIG"})
_UNSTORABLE_CLASSES = ("22", "54")
_SQLSTATE_LENGTH = 5
_OUT_OF_PLACE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_BUSY")
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_READONLY_DBMOVED", "SQLITE_IOERR_SHORT_READ"})


class Duplicate(Exception):
    """A row like this exists already, or the row it belongs to does not."""


class Unstorable(InvalidRequest):
    """A value that this database cannot hold."""

    public = "A value is too long or holds characters that the database cannot keep."


class Fault(Enum):
    """What to do about an error of a driver."""

    REPEAT = auto()  # nothing was done, and the same again may succeed
    LOST = auto()  # the connection is gone; a new one may work
    DUPLICATE = auto()
    UNSTORABLE = auto()
    UNAVAILABLE = auto()


def judge(error: Exception) -> Fault:
    """Say which fault ``error``, raised by a driver or by SQLAlchemy, is."""
    if isinstance(error, (UnicodeError, OverflowError)):
        return Fault.UNSTORABLE
    if not isinstance(error, DBAPIError):
        return Fault.UNAVAILABLE
    code = code_of(error)
    if error.connection_invalidated:
        return Fault.LOST
    if code in _REPEATABLE:
        return Fault.REPEAT
    if isinstance(error, IntegrityError):
        return Fault.DUPLICATE
    unstorable = isinstance(error, DataError) or code in _UNSTORABLE or _class_of(code) in _UNSTORABLE_CLASSES
    return Fault.UNSTORABLE if unstorable else Fault.UNAVAILABLE


def code_of(error: Exception) -> str:
    """The driver's code: an SQLSTATE, MariaDB's number, SQLite's name, or ``""``."""
    original: object = getattr(error, "orig", error)
    for name in ("sqlstate", "sqlite_errorname"):
        if code := getattr(original, name, None):
            return str(code)
    arguments = getattr(original, "args", ())
    return str(arguments[0]) if arguments and isinstance(arguments[0], int) else ""


def _class_of(code: str) -> str:
    return code[:2] if len(code) == _SQLSTATE_LENGTH else ""


def unavailable(error: Exception, where: str) -> BackendUnavailable:
    """Put ``error`` into words that hold neither values nor passwords, with what an operator can do about it."""
    words = _reason(error)
    found = BackendUnavailable(f"the database at {where} is not usable: {words}", hint=type(error).__name__)
    if isinstance(error, DBAPIError | sqlite3.Error):
        found.operator_remedy = remedy_for(code_of(error), words, where)
        found.hint += f"; {found.operator_remedy}"  # for the log of a gateway that runs
    return found


def is_out_of_place(error: Exception) -> bool:
    """Whether an SQLite file cannot be read or written, whatever is in it: no schema is at fault then."""
    return code_of(error).startswith(_OUT_OF_PLACE)


def _reason(error: Exception) -> str:
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return type(error).__name__
    code = code_of(error)
    if code in _DAMAGED:
        return f"the file is damaged, or another was copied over it while it was open ({code})"
    if isinstance(error, (OperationalError, InterfaceError, sqlite3.OperationalError)) or _is_about_option(error):
        original = getattr(error, "orig", error)
        arguments = getattr(original, "args", ())
        lines = str(arguments[-1] if arguments else original).strip().splitlines()
        return lines[0][:200] if lines else code or "no connection"
    return f"{type(error).__name__} {code}".strip()


def _is_about_option(error: Exception) -> bool:
    """Whether libpq does not know an option's name, which it says before it asks any server."""
    return isinstance(error, ProgrammingError) and str(error.orig).startswith(NO_OPTION)
