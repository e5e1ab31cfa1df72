"""``latchpin states``: look after what pending authorizations leave behind."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from latchpin.sdk.commands import opened_states, print_json, run

app = typer.Typer(name="states", help="Look after pending authorizations.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look after pending authorizations."""


@app.command()
def purge(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are under way: their users have to start again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove expired and used states (the gateway does so by itself within a minute)."""

    async def work() -> int:
        async with opened_states() as states:
            return await states.purge(everything=everything)

    count = run(work())
    if as_json:
        print_json({"removed": count})
        return
    sys.stdout.write(f"Removed {count} state{'' if count == 1 else 's'}.\n")
