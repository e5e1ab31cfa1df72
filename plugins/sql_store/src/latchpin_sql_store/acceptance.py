"""On which schema a store opens: the current one; an SQLite file is brought up to date first."""

from __future__ import annotations

from latchpin.errors import SchemaOutdated, SettingsError
from sqlalchemy import URL, Engine

from latchpin_sql_store.engine import sqlite_file
from latchpin_sql_store.schema import HEAD, look_revision, refuse_unknown

__all__ = ["ensure_schema"]


def ensure_schema(url: URL, engine: Engine, where: str, *, diagnostic: bool = False) -> None:
    """Accept the current schema; bring an SQLite file up to date, unless ``diagnostic``; refuse everything else.

    A server's schema is the deployer's to change: other gateways may work on it.

    Raises:
        SettingsError: the folder of the SQLite file does not exist.
        SchemaOutdated: the schema is missing, older, newer, or not ours.
        BackendUnavailable: the database cannot be reached.
    """
    file = sqlite_file(url)
    if file is not None and not file.parent.is_dir():
        raise SettingsError(f"DATABASE_URL names the folder {file.parent}, which does not exist")
    found = None if file is not None and not file.exists() else look_revision(engine, where)
    if found == HEAD:
        return
    refuse_unknown(found, where)
    state = "has no schema yet" if found is None else f"has schema {found}; this version works with {HEAD}"
    if file is not None and not diagnostic:
        from latchpin_sql_store.migrate import migrate  # noqa: PLC0415  loads Alembic

        migrate(url, where)
        return
    outdated = SchemaOutdated(f"the database at {where} {state}")
    outdated.by_itself = file is not None
    raise outdated
