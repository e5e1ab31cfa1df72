"""PostgreSQL, by itself or with a pooler between that hands out its connections by transaction, as PgBouncer does.

Behind a pooler, a connection of ours leads to another session of the server in each transaction. What is set for a
session would be gone in the next transaction, and would be met by another program; so it is set for each transaction
instead. Nor can a statement be prepared. Nobody has to say that there is one: a pooler answers for the server when we
connect, and so tells us another process id than the server itself does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["is_pooled", "settle_postgres"]

_POOLED = "latchpin_pooled"
_READ_ONLY = "25006"
"""PostgreSQL's code of a write in a transaction that only reads, as all do on a standby."""


def settle_postgres(engine: Engine, settings: tuple[str, ...], *, transactions: bool) -> None:
    """Have ``settings``, as in ``lock_timeout = 1500``, hold for all that ``engine`` does.

    Args:
        engine: of a PostgreSQL.
        settings: what is set for a session or transaction.
        transactions: whether it runs any; with a pooler between, a statement alone has nothing that could be set, and
            waits for no lock.
    """
    for_session, for_transaction = (
        ";".join(f"{command} {each}" for each in settings) for command in ("SET", "SET LOCAL")
    )

    def met(connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401  psycopg's connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pooled = cursor.fetchone()[0] != connection.info.backend_pid
            if pooled:
                connection.prepare_threshold = None
            elif settings:
                cursor.execute(for_session)
        connection.commit()
        entry.info[_POOLED] = pooled

    def begun(connection: Connection) -> None:
        if is_pooled(connection):
            connection.exec_driver_sql(for_transaction)

    event.listen(engine, "connect", met)
    event.listen(engine, "handle_error", _leave_standby)
    if settings and transactions:
        event.listen(engine, "begin", begun)


def _leave_standby(context: ExceptionContext) -> None:
    """Hang up on a server that may only be read (any more): the next connection finds the one that can be written."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler hands out the server's connections to this one."""
    return bool(connection.info.get(_POOLED))
