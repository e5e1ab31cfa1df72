"""Runs the migrations, one process at a time, whoever asks for them and from wherever."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from latchpin.errors import BackendUnavailable, SchemaOutdated
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from latchpin_sql_store.engine import build_engine, make_private, parse_url, show_url, sqlite_file
from latchpin_sql_store.faults import Fault, is_out_of_place, judge, unavailable
from latchpin_sql_store.schema import HEAD, look_revision, refuse_unknown

__all__ = ["alembic_config", "locked_connection", "migrate", "upgrade_database"]

LOCK_SECONDS = 60
_LOCK_NUMBER = 0x1A7C4_914  # PostgreSQL names advisory locks by number: any, as long as it is always the same
_LOCK_NAME = "latchpin-migration"


def upgrade_database(url_text: str) -> tuple[str | None, str]:
    """Bring the schema up to date; give the revisions before and after.

    Raises:
        SettingsError: the URL does not hold.
        SchemaOutdated: the schema is newer, not ours, or a migration failed.
        BackendUnavailable: the database cannot be reached, or another upgrade does not end.
    """
    url = parse_url(url_text)
    where = show_url(url)
    engine = build_engine(url, "read")
    try:
        before = look_revision(engine, where) if _is_there(url) else None
    finally:
        engine.dispose()
    refuse_unknown(before, where)
    migrate(url, where)
    return before, HEAD


def migrate(url: URL, where: str) -> None:
    """Run what is missing of the migrations.

    Raises:
        SchemaOutdated: a migration failed.
        BackendUnavailable: the database cannot be reached, or another upgrade does not end.
    """
    config = alembic_config()
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except (DBAPIError, sqlite3.Error) as exc:
        if judge(exc) is Fault.LOST or is_out_of_place(exc):
            raise unavailable(exc, where) from exc
        why = unavailable(exc, where)
        raise SchemaOutdated(f"the migration failed: {why}", remedy=why.for_operator()) from exc
    except CommandError as exc:
        raise SchemaOutdated(f"the migration failed: {exc}") from exc


def alembic_config() -> Config:
    """Alembic's configuration for our scripts, wherever the package is installed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@contextmanager
def locked_connection(url: URL) -> Iterator[Connection]:
    """Connect for a migration while no other process migrates.

    SQLite takes a lock file beside the database: switching to WAL, the first thing to do with a new file, does not
    wait for locks within it. PostgreSQL and MariaDB have locks by name: there it is that of the transaction which the
    migration runs in, since a connection behind a pooler is not ours alone and would keep it; here the connection's.
    """
    file = sqlite_file(url)
    engine = build_engine(url, "migrate")
    try:
        if file is not None:
            with _lock_file(file):
                make_private(file)
                with closing(sqlite3.connect(file)) as raw:
                    raw.execute("PRAGMA journal_mode = WAL")
                with engine.connect() as connection:
                    yield connection
            return
        with engine.connect() as connection:
            _lock_by_name(connection)
            yield connection
            connection.commit()
    finally:
        engine.dispose()  # hanging up gives the named lock back


def _is_there(url: URL) -> bool:
    """False for an SQLite file that is still to be made: looking would make it, readable by everybody."""
    file = sqlite_file(url)
    return file is None or file.exists()


@contextmanager
def _lock_file(file: Path) -> Iterator[None]:
    # An empty SQLite database as a lock: works on every system and ends with the process that held it.
    lock_file = Path(f"{file}.lock")
    make_private(lock_file)
    with closing(sqlite3.connect(lock_file, timeout=LOCK_SECONDS, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _lock_by_name(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        return
    named = {"name": _LOCK_NAME, "seconds": LOCK_SECONDS}
    if not connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), named).scalar():
        raise BackendUnavailable("another upgrade of this database is running and does not end")
    connection.commit()  # the lock is the session's, not the transaction's
