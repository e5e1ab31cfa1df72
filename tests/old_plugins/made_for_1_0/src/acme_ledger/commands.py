"""``latchpin ledger``."""

import typer
from latchpin.sdk.commands import opened, run

from acme_ledger.entries import of

app = typer.Typer(name="ledger", help="Show the ledger.")


@app.callback()
def group() -> None:
    """Show the ledger."""


@app.command()
def show(person: str) -> None:
    """Show somebody's entries."""
    typer.echo("\n".join(run(_read(person))))


async def _read(person: str) -> list[str]:
    async with opened() as application:
        return await of(application.services.context, person)
