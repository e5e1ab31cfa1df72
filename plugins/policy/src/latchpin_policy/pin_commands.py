"""``latchpin tools``."""

from __future__ import annotations

from typing import Annotated

import typer
from latchpin.errors import NotFound
from latchpin.sdk.commands import OPERATOR, confirm, opened, print_json, print_table, run, say

from latchpin_policy.pin import Pin, diff_of
from latchpin_policy.pins import pins_of

__all__ = ["app"]

app = typer.Typer(name="tools", help="Tools that wait for approval: list and approve.", no_args_is_help=True)

_MARKS = {"same": " ", "added": "+", "removed": "-"}


@app.callback()
def group() -> None:
    """Tools that wait for approval: list and approve."""


@app.command("list")
def list_changed(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the tools that are held back until somebody approves them (TOOL_PINNING), oldest first."""

    async def work() -> tuple[list[Pin], dict[str, str]]:
        async with opened() as application:
            names = {gateway.id: gateway.name for gateway in await application.gateways.list(OPERATOR)}
            return await (await pins_of(application)).held(), names

    found, names = run(work())
    if as_json:
        print_json([pin.describe() for pin in found])
        return
    if not found:
        say("No tool waits for approval")
        return
    rows = [(pin.id[:8], names.get(pin.gateway, "one that is gone"), ascii(pin.name)[1:-1]) for pin in found]
    print_table(("id", "gateway", "tool"), rows)


@app.command("approve")
def approve_changed(
    tool: Annotated[str, typer.Argument(help="The id, or its first digits, as they are listed.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Show what differs in a tool from what was approved, and approve it."""

    async def look() -> list[Pin]:
        async with opened() as application:
            return [pin for pin in await (await pins_of(application)).held() if pin.id.startswith(tool)]

    found = run(look())
    if len(found) != 1 or found[0].held is None:
        raise NotFound("no tool waits under that id, or several do", remedy="List them: latchpin tools list")
    pin, digest = found[0], found[0].held.hash
    for line in diff_of(pin):
        typer.echo(f"{_MARKS[line.kind]} {line.text}")

    async def work() -> None:
        async with opened() as application:
            await (await pins_of(application)).approve(pin.id, digest, OPERATOR)

    if not yes:
        confirm(f"Approve {pin.name!a}?")
    run(work())
    say(f"Approved {pin.name!a}")
