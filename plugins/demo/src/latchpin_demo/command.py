"""``latchpin demo``: the whole of Latchpin on one machine, to click through or to watch."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.sdk.commands import err, out, run, until_told
from rich.markup import escape

if TYPE_CHECKING:
    from latchpin_demo.environment import DemoEnvironment
    from latchpin_demo.steps import Steps

__all__ = ["app", "demo"]

app = typer.Typer()
_FAILED = 1
_INTERRUPTED = 130


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="The demo's own folder.", file_okay=False)] = Path(".latchpin-demo"),
    port: Annotated[
        int | None, typer.Option(help="The gateway's port; 4444, or a free one, if not given.", min=1, max=65_535)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Play the person and the client too, then stop.")] = False,
    edge: Annotated[bool, typer.Option("--edge", help="Put nginx in front, as latchpin-edge configures it.")] = False,
) -> None:
    """Start an authorization server, two protected MCP servers and the gateway here, and give one URL for both.

    Everything listens on loopback and is forgotten when it stops. With --once nobody is needed: it plays the person
    and their MCP client, and exits with 0, or with 1 and the name of the step that failed.
    """
    from latchpin_demo.steps import StepFailed  # noqa: PLC0415  commands import what they need when they run

    # the SDK would set up its own output otherwise; the demo's servers have nothing to say to people
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        told = run(until_told(_run(folder, port, once=once, edge=edge)))
    except StepFailed as failure:
        err.print(f"[bold red]failed[/] {escape(failure.step)}", highlight=False, soft_wrap=True)
        err.print(f"  {escape(failure.reason)}", highlight=False, soft_wrap=True)
        raise typer.Exit(_FAILED) from None
    if told:
        out.print("Stopped.")
        raise typer.Exit(_INTERRUPTED if once else 0)


async def _run(folder: Path, port: int | None, *, once: bool, edge: bool) -> None:
    from latchpin_demo.environment import open_stage  # noqa: PLC0415
    from latchpin_demo.steps import Steps  # noqa: PLC0415

    steps = Steps(_tell)
    out.print("[bold]Latchpin demo[/]: everything on this machine, forgotten when it stops")
    async with open_stage(steps, folder=folder, port=port, edge=edge) as stage:
        if once:
            await _play(stage, steps)
        else:
            await _invite(stage, steps)


async def _play(stage: DemoEnvironment, steps: Steps) -> None:
    from latchpin_demo.walk import walk  # noqa: PLC0415

    tools = await walk(stage, steps)
    told = f"A client that knew one URL got in, and reached {len(tools)} tools with the user's own token."
    out.print(f"[bold green]The demo works.[/] {told}", soft_wrap=True)


async def _invite(stage: DemoEnvironment, steps: Steps) -> None:
    """Say what to click, and wait for Ctrl-C."""
    from latchpin.sdk.identity import create_link  # noqa: PLC0415

    from latchpin_demo.authorization_server import PASSWORD  # noqa: PLC0415
    from latchpin_demo.environment import ADMINISTRATOR, GATEWAY_NAME, OTHER_NAME  # noqa: PLC0415

    link = await create_link(stage.application.services, ADMINISTRATOR, admin=True)
    lines = [
        "",
        "[bold]1.[/] Open this link (it works once, for 10 minutes) and press the button:",
        f"     [bold cyan]{escape(link)}&next=/admin/gateways[/]",
        "[bold]2.[/] Give an MCP client this URL, and nothing else:",
        f"     [bold cyan]{escape(stage.endpoint)}[/]",
        f"[bold]3.[/] It opens the browser. Press [bold]Allow[/], and then [bold]Connect[/] at {GATEWAY_NAME}.",
        f"[bold]4.[/] Sign in as {ADMINISTRATOR} with the password {PASSWORD}, and press [bold]Allow[/].",
        f"[bold]5.[/] Connect {OTHER_NAME} too, or press [bold]Skip[/]: the tool latchpin_connect says how later.",
        "",
        f"Without a client: at [bold]{GATEWAY_NAME}[/], press [bold]Authorize[/], and then [bold]Fetch Tools[/].",
        f"Settings, database and log: {escape(str(stage.folder))} (there, 'latchpin gateways list' and the like work)",
        "Ctrl-C stops it.",
    ]
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True)
    await asyncio.wait({stage.process.ended})
    with steps.step("Keep the gateway running"):
        raise RuntimeError(await stage.process.explain_end())


def _tell(step: str, milliseconds: float, found: str) -> None:
    out.print(
        f"[green]ok[/] {escape(step):<38}[dim]{milliseconds:6.0f} ms[/]  {escape(found)}",
        highlight=False,
        soft_wrap=True,
    )
