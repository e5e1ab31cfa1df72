"""Where the database is: the setting, and which DATABASE_URL holds."""

from __future__ import annotations

from latchpin import Settings
from latchpin.settings import mask
from pydantic import Field, Secret, field_validator

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
        return mask(self.get_secret_value().partition("?")[0])


class SqlSettings(Settings):
    """Where the database is, and which store keeps the states beside it."""

    database_url: DatabaseUrl = Field(
        DatabaseUrl("sqlite:///./mcp.db"), description="The database: sqlite, postgresql, mysql or mariadb."
    )
    cache_type: str = Field("database", description="The state store.")

    @field_validator("database_url")
    @classmethod
    def _check_scheme(cls, value: DatabaseUrl) -> DatabaseUrl:
        text = value.get_secret_value()
        scheme, separator, _ = text.partition("://")
        if not separator or scheme not in _ACCEPTED:
            raise ValueError(
                "must be a URL that begins with sqlite:///, postgresql://, mysql:// or mariadb://, such as "
                "postgresql://user:password@host/name; a driver need not be named"
            )
        if scheme.startswith("sqlite") and text.partition("?")[0].partition("://")[2].strip("/") in {"", ":memory:"}:
            raise ValueError("must name a file after sqlite:///; to keep nothing, use CACHE_TYPE=memory")
        return value
