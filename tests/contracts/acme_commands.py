"""The command of a stranger's plugin: it prints a note that is kept in the record store."""

from __future__ import annotations

import typer
from latchpin.sdk.commands import opened, run

from tests.contracts.acme_notes import NOTES

app = typer.Typer(name="acme", help="Notes of ACME.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Notes of ACME."""


@app.command()
def note() -> None:
    """Print the note."""
    typer.echo(run(read_note()))


async def read_note() -> str:
    async with opened() as application:
        note = await application.services.context.collection(NOTES).get("note")
    return note.body["text"] if note else "There is no note."
