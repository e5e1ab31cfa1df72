"""What the gateway sees of this plugin: two offers, one group of commands, and one check.

Neither SQLAlchemy nor Alembic is imported until an offer is opened or a command runs.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from latchpin import Backend, Context, hookimpl
from latchpin.contracts import Check, CheckContext, Command, Finding, RecordStore, StateStore

if TYPE_CHECKING:
    from latchpin_sql_store.database import Database
    from latchpin_sql_store.settings import SqlSettings

_log = logging.getLogger("latchpin.sql_store")


@hookimpl
def latchpin_state_store() -> Backend[Any, StateStore]:
    """Offer the database for pending authorizations."""
    from latchpin_sql_store.settings import SqlSettings  # noqa: PLC0415  loaded when asked for

    return Backend("database", "database", SqlSettings, _open_states)


@hookimpl
def latchpin_record_store() -> Backend[Any, RecordStore]:
    """Offer the database for what must last."""
    from latchpin_sql_store.settings import SqlSettings  # noqa: PLC0415  loaded when asked for

    return Backend("database", "database", SqlSettings, _open_records)


@hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add ``latchpin db upgrade``."""
    return [Command("db", "Look after the database.", "latchpin_sql_store.command:app")]


@hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer what ``latchpin doctor`` asks the database."""
    return [Check("database", "Stores", "the database", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_sql_store.checks import check_database  # noqa: PLC0415  loads SQLAlchemy

    return await check_database(context)


@asynccontextmanager
async def _open_states(settings: SqlSettings, context: Context) -> AsyncIterator[StateStore]:
    from latchpin_sql_store.states import SqlStates  # noqa: PLC0415  loads SQLAlchemy

    yield SqlStates(await _database(settings, context), context.clock)


@asynccontextmanager
async def _open_records(settings: SqlSettings, context: Context) -> AsyncIterator[RecordStore]:
    from latchpin_sql_store.records import SqlRecords  # noqa: PLC0415  loads SQLAlchemy

    if settings.cache_type == "redis" and settings.database_url.get_secret_value().startswith("sqlite"):
        _log.warning(
            "States are shared through Redis, but gateways and tokens are in a local SQLite file: replicas would not "
            "share tokens; set DATABASE_URL to a database server, or RECORD_STORE=redis"
        )
    yield SqlRecords(await _database(settings, context), context.clock)


async def _database(settings: SqlSettings, context: Context) -> Database:
    """Both stores of a process work on one engine and one writer thread."""
    from latchpin_sql_store.database import open_database  # noqa: PLC0415  loads SQLAlchemy

    opener = partial(open_database, settings.database_url.get_secret_value(), diagnostic=context.diagnostic)
    return await context.shared("latchpin_sql_store.database", opener)
