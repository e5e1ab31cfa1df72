"""ContextForge's database, read and never written: SQLite or PostgreSQL.

Its rows as they are, each value of the type that its column is meant to have, nothing opened and nothing judged.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from latchpin.errors import SettingsError
from latchpin.sdk.settings import mask
from sqlalchemy import URL, Connection, Engine, Result, column, create_engine, inspect, make_url, select, table
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from latchpin_adopt_contextforge.errors import SourceUnreadable

__all__ = ["Source", "SourceClient", "SourceGateway", "SourceToken", "parse_source_url", "read_source"]

CONNECT_SECONDS = 10

_NEEDED = {
    "gateways": ("id", "name", "url", "transport", "auth_type", "oauth_config"),
    "oauth_tokens": ("gateway_id", "app_user_email", "user_id", "access_token", "refresh_token", "expires_at"),
    "registered_oauth_clients": ("gateway_id", "issuer", "client_id", "client_secret_encrypted", "redirect_uris"),
}
"""Without these it is no database of ContextForge 1.x."""
_MORE = {
    "gateways": (
        *("enabled", "visibility", "owner_email", "team_id", "auth_value", "passthrough_headers"),
        *("add_headers", "remove_headers", "ca_certificate", "client_cert"),
    ),
    "oauth_tokens": ("scopes", "learned_iss", "updated_at"),
    "registered_oauth_clients": (
        *("grant_types", "scope", "token_endpoint_auth_method", "registration_client_uri"),
        *("registration_access_token_encrypted", "created_at", "expires_at", "is_active"),
    ),
    "email_users": ("email", "is_active"),
    "email_team_members": ("team_id", "user_email", "is_active"),
    "servers": ("id",),
}
"""What versions differ in; what is not there is as if it were empty."""


@dataclass(frozen=True, slots=True)
class SourceGateway:
    """One gateway of ContextForge. What may hold a secret is not printed.

    Attributes:
        auth_value: sealed header fields, or the fields themselves.
        headers: it passes some on, adds some or removes some.
        certificates: it has a root or a client certificate of its own.
    """

    id: str
    name: str
    url: str
    transport: str
    enabled: bool
    visibility: str
    owner_email: str
    team_id: str
    auth_type: str
    auth_value: object = field(repr=False)
    oauth_config: Mapping[str, Any] = field(repr=False)
    headers: bool
    certificates: bool


@dataclass(frozen=True, slots=True)
class SourceClient:
    """A client that an authorization server registered for it (RFC 7591)."""

    gateway_id: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    token_endpoint_auth_method: str
    registration_client_uri: str | None = field(repr=False)
    registration_access_token: str | None = field(repr=False)
    created_at: datetime | None
    expires_at: datetime | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class SourceToken:
    """One user's tokens at one gateway."""

    gateway_id: str
    email: str
    user_id: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...]
    issuer: str | None
    expires_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Source:
    """All that is taken over, as it was at one moment.

    Attributes:
        teams: who is in each team.
        ended: addresses of people who were deactivated.
        virtual_servers: how many of these it has, which are not taken over.
    """

    gateways: tuple[SourceGateway, ...]
    clients: tuple[SourceClient, ...]
    tokens: tuple[SourceToken, ...]
    teams: Mapping[str, tuple[str, ...]]
    ended: frozenset[str]
    virtual_servers: int


def parse_source_url(text: str) -> URL:
    """Read a DATABASE_URL as ContextForge takes it, and choose the driver.

    Raises:
        SettingsError: it is none, or the driver is not installed. The text has no password in it.
    """
    try:
        url = make_url(text.strip())
    except ArgumentError:
        raise SettingsError("DATABASE_URL is no URL of a database", remedy=_EXAMPLES) from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        return _existing_file(url)
    if kind not in {"postgres", "postgresql"}:
        raise SettingsError(
            f"DATABASE_URL begins with {kind[:40]!a}, and only SQLite's and PostgreSQL's are read", remedy=_EXAMPLES
        )
    if importlib.util.find_spec("psycopg") is None:
        raise SettingsError(
            "DATABASE_URL needs the Python package psycopg, which is not installed",
            remedy="Run: pip install 'latchpin-adopt-contextforge[postgres]'",
        )
    return url.set(drivername="postgresql+psycopg")


_EXAMPLES = "Give what ContextForge has: sqlite:////srv/contextforge/mcp.db or postgresql://user@host/database"


def _existing_file(url: URL) -> URL:
    path = Path(url.database or "").absolute()
    if not path.is_file():
        raise SettingsError(
            f"DATABASE_URL names {path}, and there is no such file",
            remedy="Correct the path. An absolute one has four slashes.",
        )
    return URL.create("sqlite+pysqlite", database=str(path))


def read_source(url: URL) -> Source:
    """Read all of it in one transaction that cannot write.

    Raises:
        SourceUnreadable: it cannot be reached, or is not ContextForge's.
    """
    engine = _build_engine(url)
    try:
        with engine.connect() as connection:
            return _read(connection)
    except (SQLAlchemyError, sqlite3.Error) as exc:
        said = mask(str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0])
        raise SourceUnreadable(f"{_shown(url)} cannot be read: {said}") from None
    finally:
        engine.dispose()


def _build_engine(url: URL) -> Engine:
    if url.drivername.startswith("sqlite"):
        place = f"file:{quote(str(url.database))}?mode=ro"
        return create_engine("sqlite+pysqlite://", creator=lambda: sqlite3.connect(place, uri=True))
    engine = create_engine(url, connect_args={"connect_timeout": CONNECT_SECONDS})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _read(connection: Connection) -> Source:
    with _read_only(connection):
        there = _columns(connection)
        members = [each for each in _rows(connection, there, "email_team_members") if _flag(each["is_active"])]
        people = _rows(connection, there, "email_users")
        return Source(
            gateways=tuple(map(_gateway, _rows(connection, there, "gateways"))),
            clients=tuple(map(_client, _rows(connection, there, "registered_oauth_clients"))),
            tokens=tuple(map(_token, _rows(connection, there, "oauth_tokens"))),
            teams=_gather((_text(each["team_id"]), _text(each["user_email"])) for each in members),
            ended=frozenset(_text(each["email"]).lower() for each in people if not _flag(each["is_active"])),
            virtual_servers=len(_rows(connection, there, "servers")),
        )


@contextmanager
def _read_only(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")  # one moment for all tables, which sqlite3 does not begin by itself
    yield
    connection.rollback()


def _columns(connection: Connection) -> Mapping[str, frozenset[str]]:
    """The columns of the tables that we know.

    Raises:
        SourceUnreadable: one lacks what it must have.
    """
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    there = {
        name: frozenset(each["name"] for each in inspector.get_columns(name)) if name in names else frozenset()
        for name in _MORE
    }
    for name, needed in _NEEDED.items():
        if lacking := [each for each in needed if each not in there[name]]:
            what = f"has no table {name}" if not there[name] else f"has no column {lacking[0]} in its table {name}"
            raise SourceUnreadable(
                f"{_shown(connection.engine.url)} {what}, so it is not that of ContextForge 1.x.",
                remedy="Give ContextForge's own DATABASE_URL. If it is older than 1.0, upgrade it to 1.x first.",
            )
    return there


def _rows(connection: Connection, there: Mapping[str, frozenset[str]], name: str) -> Sequence[Mapping[str, Any]]:
    """All rows, with None for the columns that this version does not have."""
    wanted = (*_NEEDED.get(name, ()), *_MORE[name])
    chosen = [each for each in wanted if each in there[name]]
    if not chosen:
        return []
    found: Result[Any] = connection.execute(select(*(column(each) for each in chosen)).select_from(table(name)))
    return [dict.fromkeys(wanted) | dict(row) for row in found.mappings()]


def _gateway(row: Mapping[str, Any]) -> SourceGateway:
    config = _json(row["oauth_config"])
    return SourceGateway(
        id=_text(row["id"]),
        name=_text(row["name"]),
        url=_text(row["url"]),
        transport=_text(row["transport"]).upper(),
        enabled=_flag(row["enabled"]),
        visibility=_text(row["visibility"]) or "public",
        owner_email=_text(row["owner_email"]),
        team_id=_text(row["team_id"]),
        auth_type=_text(row["auth_type"]) or "none",
        auth_value=_json(row["auth_value"]),
        oauth_config=config if isinstance(config, dict) else {},
        headers=any(_json(row[name]) for name in ("passthrough_headers", "add_headers", "remove_headers")),
        certificates=bool(row["ca_certificate"] or row["client_cert"]),
    )


def _client(row: Mapping[str, Any]) -> SourceClient:
    return SourceClient(
        gateway_id=_text(row["gateway_id"]),
        issuer=_text(row["issuer"]),
        client_id=_text(row["client_id"]),
        client_secret=_text(row["client_secret_encrypted"]) or None,
        redirect_uris=_words(row["redirect_uris"]),
        grant_types=_words(row["grant_types"]) or ("authorization_code", "refresh_token"),
        scope=_text(row["scope"]),
        token_endpoint_auth_method=_text(row["token_endpoint_auth_method"]) or "client_secret_basic",
        registration_client_uri=_text(row["registration_client_uri"]) or None,
        registration_access_token=_text(row["registration_access_token_encrypted"]) or None,
        created_at=_time(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        is_active=_flag(row["is_active"]),
    )


def _token(row: Mapping[str, Any]) -> SourceToken:
    return SourceToken(
        gateway_id=_text(row["gateway_id"]),
        email=_text(row["app_user_email"]),
        user_id=_text(row["user_id"]),
        access_token=_text(row["access_token"]),
        refresh_token=_text(row["refresh_token"]) or None,
        scopes=_words(row["scopes"]),
        issuer=_text(row["learned_iss"]) or None,
        expires_at=_time(row["expires_at"]),
        updated_at=_time(row["updated_at"]),
    )


# -- single values ------------------------------------------------------------------------------------


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _flag(value: object) -> bool:
    """A boolean, which SQLite keeps as a number; what is not there holds."""
    return value is None or bool(value)


def _json(value: object) -> object:
    """A JSON column: PostgreSQL's driver has read it already. Text that is no JSON is itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _words(value: object) -> tuple[str, ...]:
    """A list of texts, as JSON or with blanks between them."""
    found = _json(value)
    if isinstance(found, str):
        found = found.split()
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def _time(value: object) -> datetime | None:
    """A moment in UTC, which SQLite keeps as text; None for what is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _gather(pairs: Iterator[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        found[name].append(value)
    return {name: tuple(values) for name, values in found.items()}
