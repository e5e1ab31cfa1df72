"""What a database can tell when a state is missing: whose data these are, and its clock."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

from latchpin.contracts import Clock, StoreFacts
from latchpin.errors import BackendUnavailable
from sqlalchemy import Connection, text

from latchpin_sql_store.database import Database
from latchpin_sql_store.kept import SqlKept

__all__ = ["ORIGIN", "read_facts"]

ORIGIN = "states:origin"
"""Among the kept values: it goes when the database goes."""

_CLOCKS = {
    "postgresql": "SELECT clock_timestamp()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
}
"""SQLite is not here: its clock is this process's own."""


async def read_facts(database: Database, clock: Clock) -> StoreFacts:
    """Read them; whoever first asks gives the data their name.

    Raises:
        BackendUnavailable: the database does not answer, or the name is not ours.
    """
    kept = SqlKept(database, clock)
    held = await kept.get(ORIGIN)
    if held is None:
        held = await kept.put(ORIGIN, json.dumps({"name": secrets.token_hex(8), "since": clock().isoformat()}))
    try:
        origin = json.loads(held)
        name, since = str(origin["name"]), datetime.fromisoformat(origin["since"])
    except (KeyError, TypeError, ValueError) as exc:
        raise BackendUnavailable(f"the kept value '{ORIGIN}' holds something that Latchpin did not write") from exc
    return StoreFacts(name=name, since=since, now=await database.read(_now, absent=None))


def _now(connection: Connection) -> datetime | None:
    statement = _CLOCKS.get(connection.dialect.name)
    if statement is None:
        return None
    moment: datetime = connection.execute(text(statement)).scalar_one()
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
