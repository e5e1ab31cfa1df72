"""Is the schema the one this version works with? Answered without Alembic, which costs 11 MB of memory."""

from __future__ import annotations

import re

from latchpin.errors import SchemaOutdated
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from latchpin_sql_store.faults import unavailable

__all__ = ["HEAD", "VERSION_TABLE", "look_revision", "refuse_unknown"]

HEAD = "0006"
"""The newest migration. A test holds it equal to Alembic's own head."""

VERSION_TABLE = "alembic_version"


def look_revision(engine: Engine, where: str) -> str | None:
    """Which migration the database is at, None if it has none of them.

    Raises:
        BackendUnavailable: the database cannot be asked.
    """
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  ours
    except SQLAlchemyError as exc:
        raise unavailable(exc, where) from exc
    return None if found is None else str(found)


def refuse_unknown(found: str | None, where: str) -> None:
    """Refuse a schema that no migration of ours leads on from.

    Raises:
        SchemaOutdated: it is newer, or of another program.
    """
    if found is None or (re.fullmatch(r"\d{4}", found) and found <= HEAD):
        return
    if re.fullmatch(r"\d{4}", found):
        raise SchemaOutdated(
            f"the database at {where} has schema {found}, made by a newer version; this one works with {HEAD}",
            remedy="Run the newer version of latchpin-sql-store here too; a schema is never taken back.",
        )
    raise SchemaOutdated(
        f"the database at {where} has schema {found[:40]!r}, which is not Latchpin's",
        remedy="Give Latchpin a database of its own: set DATABASE_URL.",
    )
