"""What a database can tell when a state is missing: whose data these are, and its clock."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime

from latchpin.contracts import Clock, StoreFacts
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import CollectionSpec, Document
from sqlalchemy import Connection, text

from latchpin_sql_store.collections import SqlCollection
from latchpin_sql_store.database import Database

__all__ = ["ORIGIN", "read_facts"]

ORIGIN = CollectionSpec("sql_store_origin")
"""One document: it goes when the database goes."""

_CLOCKS = {
    "postgresql": "SELECT clock_timestamp()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
}
"""SQLite is not here: its clock is this process's own."""


async def read_facts(database: Database, documents: SqlCollection, clock: Clock) -> StoreFacts:
    """Read them; whoever first asks gives the data their name.

    Raises:
        BackendUnavailable: the database does not answer, or the name is not ours.
    """
    held = await documents.get("origin")
    while held is None:
        with suppress(RecordConflict):  # another worker was first: look again
            body = {"name": secrets.token_hex(8), "since": clock().isoformat()}
            await documents.put(Document("origin", body))
        held = await documents.get("origin")
    try:
        name, since = str(held.body["name"]), datetime.fromisoformat(held.body["since"])
    except (KeyError, TypeError, ValueError) as exc:
        raise BackendUnavailable("the document 'origin' holds something that Latchpin did not write") from exc
    return StoreFacts(name=name, since=since, now=await database.read(_now, absent=None))


def _now(connection: Connection) -> datetime | None:
    statement = _CLOCKS.get(connection.dialect.name)
    if statement is None:
        return None
    moment: datetime = connection.execute(text(statement)).scalar_one()
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
