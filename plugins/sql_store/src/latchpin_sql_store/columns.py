"""Column types that mean the same on every database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from latchpin.model import ApiKeyConfig, OAuthConfig
from sqlalchemy import DateTime, Dialect, String, Text, types

__all__ = [
    "ApiKeyMembers",
    "Ascii",
    "Exact",
    "LongText",
    "OAuthMembers",
    "UtcTime",
    "WordList",
    "pack_object",
    "unpack_object",
]


_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
_encode_sorted = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


class UtcTime(types.TypeDecorator[datetime]):
    """An aware UTC ``datetime``, to the microsecond.

    PostgreSQL keeps it as timestamptz, MariaDB as DATETIME(6). SQLite keeps text with a space and no offset, so
    that it compares with what SQLite's own ``datetime('now')`` gives.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the database's own type."""
        if _is_mariadb(dialect):
            from sqlalchemy.dialects.mysql import DATETIME  # noqa: PLC0415  nobody else loads that dialect

            return dialect.type_descriptor(DATETIME(fsp=6))
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


def _is_mariadb(dialect: Dialect) -> bool:
    return dialect.name in {"mysql", "mariadb"}


def _long_text(dialect: Dialect) -> types.TypeEngine[str]:
    if _is_mariadb(dialect):
        from sqlalchemy.dialects.mysql import LONGTEXT  # noqa: PLC0415  as above

        return LONGTEXT()
    return Text()


class LongText(types.TypeDecorator[str]):
    """Text without a length; MariaDB's plain TEXT would end at 64 kB."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the database's own type."""
        return _long_text(dialect)


class Ascii(types.TypeDecorator[str]):
    """ASCII text that fits an index on MariaDB, whose keys may have 3,072 bytes at four for each character."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._length = length

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the database's own type."""
        if _is_mariadb(dialect):
            from sqlalchemy.dialects.mysql import VARCHAR  # noqa: PLC0415  as above

            return dialect.type_descriptor(VARCHAR(self._length, charset="ascii", collation="ascii_bin"))
        return dialect.type_descriptor(String(self._length))


class Exact(types.TypeDecorator[str]):
    """Text of at most so many bytes of UTF-8, compared and sorted by them: by code point, blanks at the end counted."""

    impl = String
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._size = size

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose a type without a language's order."""
        if _is_mariadb(dialect):
            from sqlalchemy.dialects.mysql import VARBINARY  # noqa: PLC0415  as above

            return dialect.type_descriptor(VARBINARY(self._size))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(String(self._size, collation="C"))
        return dialect.type_descriptor(String(self._size))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401  text or bytes
        """Give MariaDB the bytes."""
        if value is None or not _is_mariadb(dialect):
            return value
        return value.encode("utf-8", "surrogatepass")  # half a surrogate pair is in no document, and finds none

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Read text or bytes."""
        return value.decode() if isinstance(value, bytes) else value


class WordList(types.TypeDecorator[tuple[str, ...]]):
    """A tuple of words as a JSON list. ASCII only: a NUL or half a surrogate pair would not get past every driver."""

    impl = Text
    cache_ok = True

    def __init__(self, *, long: bool = False) -> None:
        super().__init__()
        self.long = long

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose a type that is long enough."""
        return _long_text(dialect) if self.long else Text()

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write the list."""
        return None if value is None else _encode(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002
        """Read the list."""
        return None if value is None else tuple(json.loads(value))


def pack_object(value: Mapping[str, Any]) -> str:
    """Write an object as JSON, its keys in order, so that equal objects are equal text."""
    return _encode_sorted(dict(value))


def unpack_object(text: str) -> dict[str, Any]:
    """Read what ``pack_object`` wrote."""
    value: dict[str, Any] = json.loads(text)
    return value


class OAuthMembers(types.TypeDecorator[OAuthConfig]):
    """The OAuth settings of a gateway as one JSON object."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose a type that is long enough."""
        return _long_text(dialect)

    def process_bind_param(self, value: OAuthConfig | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write every member; secrets in it are sealed."""
        if value is None:
            return None
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        return pack_object(members | {"extra_authorize_params": dict(value.extra_authorize_params)})

    def process_result_value(self, value: str | None, dialect: Dialect) -> OAuthConfig | None:  # noqa: ARG002
        """Read them."""
        if value is None:
            return None
        members = unpack_object(value)
        return OAuthConfig(**members | {"scopes": tuple(members["scopes"])})


class ApiKeyMembers(types.TypeDecorator[ApiKeyConfig]):
    """How an API key is shown to a server, as one JSON object."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: ApiKeyConfig | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write every member."""
        return None if value is None else pack_object({"header": value.header, "prefix": value.prefix})

    def process_result_value(self, value: str | None, dialect: Dialect) -> ApiKeyConfig | None:  # noqa: ARG002
        """Read them."""
        return None if value is None else ApiKeyConfig(**unpack_object(value))
