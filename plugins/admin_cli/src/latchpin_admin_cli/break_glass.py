"""``latchpin break-glass``: take back everything that was given out, and say how long it took."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Annotated

import typer
from latchpin.sdk.commands import OPERATOR, confirm, opened, print_json, run
from latchpin.sdk.hooks import SIDE_BY_SIDE

from latchpin_admin_cli.taking_back import Broken, take_back

app = typer.Typer()


@app.command("break-glass")
def break_glass(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    within: Annotated[
        float, typer.Option(help="How long each gateway's server is waited for, in seconds.", min=1, max=3600)
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End every session, authorization and connection, and have every token revoked, after something was stolen."""
    if not yes:
        confirm("Everybody is signed out and has to authorize every gateway anew. Go on?")

    async def work() -> Broken:
        async with opened(*SIDE_BY_SIDE, states=True) as application:
            limit = timedelta(seconds=within)
            return await take_back(application, OPERATOR, within=limit, now=time.monotonic)

    broken = run(work())
    if as_json:
        print_json(broken.describe())
        return
    sys.stdout.write(
        f"Nothing holds here since {broken.seconds_here:.1f} s: every session and bearer token has ended, "
        f"{broken.authorizations} states and {broken.connections} connections are gone.\n"
        f"Revoked at their servers: {broken.revoked} of {broken.connections}, after {broken.seconds:.1f} s in all.\n"
    )
    sys.stdout.writelines(f"Not revoked: {answer}\n" for answer in broken.answers)
