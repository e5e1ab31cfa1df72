"""Is a database server the right one: its version, encoding, time, and whether it can be written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from latchpin.contracts import Finding, Severity
from latchpin.errors import BackendUnavailable
from latchpin.sdk.checks import compare_clocks
from sqlalchemy import Connection, text

from latchpin_sql_store.pooled import is_pooled

__all__ = ["check_server"]

Clock = Callable[[], datetime]


def check_server(connection: Connection, clock: Clock) -> list[Finding]:
    """PostgreSQL, or MariaDB and MySQL."""
    ask = _postgres if connection.dialect.name == "postgresql" else _mysql
    return ask(connection, clock)


def _postgres(connection: Connection, clock: Clock) -> list[Finding]:
    version = _word(connection, "SHOW server_version").split()[0]
    encoding = _word(connection, "SHOW server_encoding")
    locked = _word(connection, "SHOW transaction_read_only") == "on"
    before = clock()
    theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    compared = compare_clocks("PostgreSQL", theirs, before=before, after=clock())
    way = " through a pooler such as PgBouncer" if is_pooled(connection) else ""
    findings = [Finding(Severity.OK, f"PostgreSQL {version} answers{way}, encoding {encoding}"), compared]
    if encoding != "UTF8":
        findings[0] = _encoding("PostgreSQL", encoding, "CREATE DATABASE latchpin ENCODING 'UTF8' TEMPLATE template0")
    return [*findings, *([_read_only("PostgreSQL", "SELECT pg_is_in_recovery()")] if locked else [])]


def _mysql(connection: Connection, clock: Clock) -> list[Finding]:
    version = _word(connection, "SELECT VERSION()")
    name = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    encoding = _word(connection, "SELECT @@character_set_database")
    locked = _word(connection, "SELECT @@read_only") not in {"0", "OFF"}
    before = clock()
    theirs: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
    compared = compare_clocks(name, theirs.replace(tzinfo=UTC), before=before, after=clock())
    findings = [Finding(Severity.OK, f"{name} {version.partition('-')[0]} answers, encoding {encoding}"), compared]
    if not encoding.startswith("utf8"):
        # The tables say utf8mb4 themselves, so this is about what is added by hand.
        findings[0] = _encoding(name, encoding, "CREATE DATABASE latchpin CHARACTER SET utf8mb4")
    return [*findings, *([_read_only(name, "SELECT @@read_only")] if locked else [])]


def _word(connection: Connection, statement: str) -> str:
    return str(connection.execute(text(statement)).scalar_one())


def _encoding(name: str, encoding: str, statement: str) -> Finding:
    return Finding(
        Severity.WARNING,
        f"{name} answers, and its database has the encoding {encoding}",
        "Names and addresses with other letters cannot be kept, or come back changed.",
        "Make a database with UTF-8, and move the data there.",
        statement,
        BackendUnavailable.code,
    )


def _read_only(name: str, statement: str) -> Finding:
    return Finding(
        Severity.FAILURE,
        f"{name} takes no writes",
        "DATABASE_URL leads to a replica, or to a server that is read-only.",
        "Set DATABASE_URL to the primary.",
        statement,
        BackendUnavailable.code,
    )
