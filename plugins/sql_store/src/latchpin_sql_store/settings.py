"""Where the database is: the setting, and which DATABASE_URL holds."""

from __future__ import annotations

from latchpin import Settings
from pydantic import Field, Secret, field_validator

from latchpin_sql_store.url_parts import parse_parts, show_text

__all__ = ["DatabaseUrl", "SqlSettings"]

SCHEMES = ("sqlite", "postgresql", "mysql", "mariadb")
_ACCEPTED = frozenset(SCHEMES) | {
    "postgres",
    "sqlite+pysqlite",
    "postgresql+psycopg",
    "mysql+pymysql",
    "mariadb+pymysql",
}


class DatabaseUrl(Secret[str]):
    """A database URL that shows everything but its password."""

    def _display(self) -> str:
        return show_text(self.get_secret_value())


class SqlSettings(Settings):
    """Where the database is, and which store keeps the states beside it."""

    database_url: DatabaseUrl = Field(
        DatabaseUrl("sqlite:///./mcp.db"),
        description="sqlite, postgresql, mysql or mariadb, with the password percent-encoded.",
    )
    cache_type: str = Field("database", description="The state store.")

    @field_validator("database_url")
    @classmethod
    def _check_scheme(cls, value: DatabaseUrl) -> DatabaseUrl:
        text = value.get_secret_value().strip()
        scheme, separator, _ = text.partition("://")
        if not separator or scheme not in _ACCEPTED:
            raise ValueError(
                "must be a URL that begins with sqlite:///, postgresql://, mysql:// or mariadb://, such as "
                "postgresql://user:password@host/name; a driver need not be named"
            )
        if (parse_parts(text).database or "").strip("/") in {"", ":memory:"} and scheme.startswith("sqlite"):
            raise ValueError("must name a file after sqlite:///; to keep nothing, use CACHE_TYPE=memory")
        return DatabaseUrl(text)
