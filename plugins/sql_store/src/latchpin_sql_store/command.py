"""``latchpin db``: look after the database."""

from __future__ import annotations

import typer
from latchpin.sdk.settings import load

from latchpin_sql_store.settings import SqlSettings

app = typer.Typer(name="db", help="Look after the database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after the database."""


@app.command()
def upgrade() -> None:
    """Bring the schema of DATABASE_URL up to date. Safe to run from several machines at once."""
    from latchpin_sql_store.migrate import upgrade_database  # noqa: PLC0415  loads Alembic

    settings = load(SqlSettings)
    before, after = upgrade_database(settings.database_url.get_secret_value())
    where = settings.database_url
    if before == after:
        typer.echo(f"The schema of {where} is up to date ({after}).")
    else:
        typer.echo(f"Upgraded the schema of {where} from {before or 'nothing'} to {after}.")
