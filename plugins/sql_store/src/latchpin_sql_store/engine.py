"""One synchronous SQLAlchemy engine, made to behave alike on the three databases."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from latchpin.errors import SettingsError
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from latchpin_sql_store.pooled import settle_postgres
from latchpin_sql_store.url_parts import UrlParts, parse_parts

__all__ = ["Purpose", "build_engine", "make_private", "parse_url", "sqlite_file"]

Purpose = Literal["read", "write", "migrate"]

POSTGRES_PORT = 5432
CONNECT_SECONDS = 2  # libpq knows no shorter one
WAIT_MILLISECONDS = 1500  # for another process's lock, so that a waiting caller is answered within two seconds

_DRIVERS = {
    "sqlite": ("sqlite+pysqlite", "sqlite3", ""),
    "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
}


def parse_url(text: str) -> URL:
    """Read DATABASE_URL and choose the driver.

    Raises:
        SettingsError: it is not a URL, or the driver is not installed.
    """
    try:
        parts = parse_parts(text)
    except ValueError as exc:
        raise SettingsError(f"DATABASE_URL {exc}") from None
    kind = parts.scheme.partition("+")[0]
    if kind not in _DRIVERS:
        raise SettingsError("DATABASE_URL must begin with sqlite:///, postgresql://, mysql:// or mariadb://")
    driver, module, extra = _DRIVERS[kind]
    if importlib.util.find_spec(module) is None:
        raise SettingsError(
            f"DATABASE_URL needs the Python package {module}, which is not installed",
            remedy=f"Run: pip install 'latchpin-sql-store[{extra}]'",
        )
    options = _gather(parts.options)
    if parts.others:
        options = _several(parts, kind) | options
    if module == "pymysql":
        _check_options(options, import_module(f"{module}.connections").Connection)
    database = str(Path(parts.database).absolute()) if kind == "sqlite" and parts.database else parts.database
    host, port = (None, None) if parts.others else (parts.host, parts.port)
    return URL.create(driver, parts.username, parts.password, host, port, database, options)


def _several(parts: UrlParts, kind: str) -> dict[str, str | tuple[str, ...]]:
    """Several hosts as libpq's options, with their ports, and that the one is wanted which can be written.

    Raises:
        SettingsError: it is no PostgreSQL.
    """
    if not kind.startswith("postgres"):
        raise SettingsError("DATABASE_URL may name several hosts of PostgreSQL only")
    places = [(parts.host, parts.port), *parts.others]
    hosts = ",".join(str(host) for host, _ in places)
    ports = ",".join(str(port or POSTGRES_PORT) for _, port in places)
    return {"host": hosts, "port": ports, "target_session_attrs": "read-write"}


def _gather(pairs: Iterable[tuple[str, str]]) -> dict[str, str | tuple[str, ...]]:
    """Options by name: the text of one that comes once, as drivers want it, and a tuple of one that comes again."""
    options: dict[str, str | tuple[str, ...]] = {}
    for name, value in pairs:
        before = options.get(name, ())
        options[name] = (*((before,) if isinstance(before, str) else before), value) if name in options else value
    return options


_SSL_OPTIONS = ("ssl_capath", "ssl_cipher", "ssl_check_hostname")
"""What SQLAlchemy makes PyMySQL's mapping of, beside PyMySQL's own."""


def _check_options(options: Iterable[str], connection: type) -> None:
    """Insist on options that PyMySQL knows: of others it only says that it has no such argument."""
    known = {*signature(connection).parameters, *_SSL_OPTIONS} - {"ssl"}  # that is a mapping, which no URL can hold
    if wrong := sorted(set(options) - known):
        raise SettingsError(
            f"DATABASE_URL has an option that PyMySQL does not know: {wrong[0][:40]}",
            remedy="Correct or remove it; for TLS write ssl_ca=/path/to/ca.pem after the ? in DATABASE_URL.",
        )


def show_url(url: URL) -> str:
    """The database's address for people: without the password, and without the options, which may hold one."""
    hosts = url.query.get("host")
    if url.host is None and isinstance(hosts, str) and "," in hosts:
        url = url.set(host=hosts)
    return url.render_as_string(hide_password=True).partition("?")[0]


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite URL, None for the other databases."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_private(file: Path) -> None:
    """Make an SQLite file that is not there yet, for its owner's eyes only; its log and index then get the same mode.

    One that is there keeps the mode that somebody gave it. What forbids making it, SQLite says better.
    """
    with suppress(OSError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def build_engine(url: URL, purpose: Purpose) -> Engine:
    """Make an engine; it connects when it is first used.

    Args:
        url: from ``parse_url``.
        purpose: ``write`` runs transactions, ``read`` single statements outside of any, and ``migrate`` is
            ``write`` that waits for locks and long statements.

    Parameters never show in an error. No pre-ping: a broken connection is noticed by the statement that meets it,
    discarded with its siblings, and the transaction is begun again.
    """
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": 1, "max_overflow": 1, "pool_timeout": 1}
    backend = url.get_backend_name()
    if backend == "sqlite":
        engine = create_engine(url, connect_args={"timeout": WAIT_MILLISECONDS / 1000}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        if purpose != "read":
            # Not by the event for it: a statement of SQLAlchemy's would be a tenth of a small transaction.
            engine.dialect.do_begin = _begin_sqlite  # type: ignore[method-assign]
        return engine
    arguments, opening = (_postgres if backend == "postgresql" else _mysql)(purpose == "migrate")
    level = "AUTOCOMMIT" if purpose == "read" else "READ COMMITTED"
    engine = create_engine(url, connect_args=arguments, isolation_level=level, **options)
    # Rows that are inserted together go in one statement. psycopg would send one for each.
    engine.dialect.use_insertmanyvalues_wo_returning = backend == "postgresql"
    if backend == "postgresql":
        settle_postgres(engine, opening, transactions=purpose != "read")
    else:
        _run_on_connect(engine, opening)
    return engine


def _postgres(patient: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        # A server made with --locale=C and no encoding would give bytes for text.
        "client_encoding": "utf8",
        # A server that vanished without a word is noticed in seconds, not in the kernel's two hours.
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": WAIT_MILLISECONDS,
    }
    if patient:
        return arguments, ()
    # A prepared statement would keep the plan of an empty table, a scan of all its rows, until the next ANALYZE.
    return arguments, (f"lock_timeout = {WAIT_MILLISECONDS}", "plan_cache_mode = force_custom_plan")


def _mysql(patient: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4"}
    opening = [
        "SET time_zone = '+00:00'",
        # Without it, older servers cut a value that is too long and say nothing.
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
    ]
    if not patient:
        arguments |= {"read_timeout": CONNECT_SECONDS, "write_timeout": CONNECT_SECONDS}
        opening.append("SET innodb_lock_wait_timeout = 1")
    return arguments, tuple(opening)


def _run_on_connect(engine: Engine, statements: tuple[str, ...]) -> None:
    def run(connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401  a driver's connection
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.commit()

    event.listen(engine, "connect", run)


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401  sqlite3's connection
    connection.isolation_level = None  # sqlite3 would begin transactions by itself, and late
    connection.execute("PRAGMA foreign_keys = ON")
    # The file is never damaged; after a power cut the last moments may be missing from it.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Copying the log back every 16 MB instead of every 4 MB nearly doubles the rate of small transactions.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")


def _begin_sqlite(dbapi_connection: PoolProxiedConnection) -> None:
    # A transaction that reads first and writes later fails if another process wrote in between: ask for the
    # write lock at once.
    dbapi_connection.cursor().execute("BEGIN IMMEDIATE")
