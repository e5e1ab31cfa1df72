"""Column types that mean the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, types
from sqlalchemy.dialects import mysql

__all__ = ["Ascii", "Exact", "LongText", "UtcTime"]


class UtcTime(types.TypeDecorator[datetime]):
    """An aware UTC ``datetime``, to the microsecond.

    PostgreSQL keeps it as timestamptz, MariaDB as DATETIME(6). SQLite keeps text with a space and no offset, so
    that it compares with what SQLite's own ``datetime('now')`` gives.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the database's own type."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware time into UTC, without its offset where the database has no place for one."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """Give the time back as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
"""Text without a length; MariaDB's plain TEXT would end at 64 kB."""


def Ascii(length: int) -> types.TypeEngine[str]:  # noqa: N802  used like a type
    """ASCII text that fits an index on MariaDB, whose keys may have 3,072 bytes at four for each character."""
    ascii_only = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(ascii_only, "mysql", "mariadb")


class Exact(types.TypeDecorator[str]):
    """Text of at most so many bytes of UTF-8, compared and sorted by them: by code point, blanks at the end counted."""

    impl = String
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._size = size

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose a type without a language's order."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.VARBINARY(self._size))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(String(self._size, collation="C"))
        return dialect.type_descriptor(String(self._size))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401  text or bytes
        """Give MariaDB the bytes."""
        if value is None or dialect.name not in {"mysql", "mariadb"}:
            return value
        return value.encode("utf-8", "surrogatepass")  # half a surrogate pair is in no document, and finds none

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Read text or bytes."""
        return value.decode() if isinstance(value, bytes) else value
