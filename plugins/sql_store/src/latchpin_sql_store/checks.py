"""What ``latchpin doctor`` asks the database: is it there and ours, is its schema right, what is left over?

On engines of its own, in a thread, so that it can be asked also when the gateway does not start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from shlex import quote

from latchpin.contracts import CheckContext, Finding, Fix, Severity
from latchpin.errors import LatchpinError, SchemaOutdated
from latchpin.sdk.checks import problems_of
from sqlalchemy import URL, Engine, and_, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from latchpin_sql_store.engine import build_engine, parse_url, show_url, sqlite_file
from latchpin_sql_store.faults import unavailable
from latchpin_sql_store.file_checks import check_file, check_sharing
from latchpin_sql_store.schema import HEAD, look_revision, refuse_unknown
from latchpin_sql_store.server_checks import check_server
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import states

__all__ = ["check_database"]

LEFT_OVER = timedelta(minutes=3)
"""A gateway that runs removes an expired state within a minute; what is older, nobody removes."""

UPGRADE, PURGE = "latchpin db upgrade", "latchpin states purge"


async def check_database(context: CheckContext) -> Sequence[Finding]:
    """Everything, if the database is selected for anything."""
    selected = [backend for backend in (context.state_backend, context.record_backend) if backend is not None]
    if "database" not in {backend.name for backend in selected}:
        return []
    if problems_of(SqlSettings):  # said among the settings; the default is not the database that was meant
        return []
    try:
        url = parse_url(context.load(SqlSettings).database_url.get_secret_value())
    except LatchpinError as exc:
        return [Finding.of(exc, "DATABASE_URL cannot be used")]
    return await asyncio.to_thread(_look, url, context)


def _look(url: URL, context: CheckContext) -> list[Finding]:
    where = show_url(url)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return [*check_file(file, None), _outdated(url, where, None)]
    engine = build_engine(url, "read")
    try:
        revision = look_revision(engine, where)
        with engine.connect() as connection:
            about = check_server(connection, context.clock) if file is None else check_file(file, connection)
        findings = [*about, *check_sharing(url, context), _schema(url, where, revision)]
        return findings if revision != HEAD else [*findings, _leftovers(url, engine, context)]
    except SQLAlchemyError as exc:
        return [Finding.of(unavailable(exc, where), "The database cannot be asked", command=_try(url))]
    except LatchpinError as exc:
        return [Finding.of(exc, "The database cannot be asked", command=_try(url))]
    finally:
        engine.dispose()


def _try(url: URL) -> str:
    """A command that tries the same, without a password."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite3 {quote(url.database or '')} .tables"
    if url.get_backend_name() == "postgresql":
        words = [("-h", url.host), ("-p", url.port), ("-U", url.username), ("-d", url.database)]
        return f"psql{_options(words)} -c 'SELECT 1'"
    words = [("-h", url.host), ("-P", url.port), ("-u", url.username), ("-D", url.database)]
    return f"mysql{_options(words)}{' -p' if url.password else ''} -e 'SELECT 1'"


def _options(words: Sequence[tuple[str, str | int | None]]) -> str:
    """What the URL says; what it leaves open is left to the program, as the gateway leaves it to its driver."""
    return "".join(f" {name} {quote(str(value))}" for name, value in words if value)


# -- the schema -----------------------------------------------------------------------------------------


def _schema(url: URL, where: str, revision: str | None) -> Finding:
    if revision == HEAD:
        return Finding(Severity.OK, f"The schema is up to date ({HEAD})")
    try:
        refuse_unknown(revision, where)
    except SchemaOutdated as exc:
        return Finding.of(exc, "The schema is not one that this version works with")
    return _outdated(url, where, revision)


def _outdated(url: URL, where: str, revision: str | None) -> Finding:
    from latchpin_sql_store.migrate import upgrade_database  # noqa: PLC0415  loads Alembic

    async def migrate() -> str:
        _, after = await asyncio.to_thread(upgrade_database, url.render_as_string(hide_password=False))
        return f"the schema is {after} now."

    local = url.get_backend_name() == "sqlite"
    held = "no schema yet" if revision is None else f"schema {revision}"
    return Finding(
        Severity.WARNING if local else Severity.FAILURE,
        "The schema is not up to date",
        f"{where} has {held}; this version works with {HEAD}."
        + (" The next start brings it up to date." if local else " The gateway does not start on it."),
        "Upgrade it; that is safe from several machines at once.",
        UPGRADE,
        SchemaOutdated.code,
        fix=Fix(f"Bring the schema of {where} from {revision or 'nothing'} to {HEAD}.", migrate),
    )


# -- what is left over ----------------------------------------------------------------------------------


def _leftovers(url: URL, engine: Engine, context: CheckContext) -> Finding:
    """Expired states that no gateway removed, and how many of them were used."""
    over = states.c.expires_at <= context.clock() - LEFT_OVER
    with engine.connect() as connection:
        expired = connection.execute(select(func.count()).select_from(states).where(over)).scalar_one()
        used = connection.execute(
            select(func.count()).select_from(states).where(and_(over, states.c.used.is_(True)))
        ).scalar_one()
    if not expired:
        return Finding(Severity.OK, "No expired or used state is left over")
    return Finding(
        Severity.WARNING,
        f"{expired} expired state{'' if expired == 1 else 's'} {'is' if expired == 1 else 'are'} left over",
        f"{used} of them used. A gateway that runs removes them within a minute: none runs on this database, or its "
        "clock is behind.",
        "Remove them.",
        PURGE,
        fix=Fix(f"Remove {expired} expired states.", _purging(url, context)),
    )


def _purging(url: URL, context: CheckContext) -> Callable[[], Awaitable[str]]:
    def purge() -> int:
        engine = build_engine(url, "write")
        try:
            with engine.begin() as connection:
                return connection.execute(delete(states).where(states.c.expires_at <= context.clock())).rowcount
        finally:
            engine.dispose()

    async def apply() -> str:
        try:
            return f"{await asyncio.to_thread(purge)} removed."
        except SQLAlchemyError as exc:
            raise unavailable(exc, show_url(url)) from exc

    return apply
