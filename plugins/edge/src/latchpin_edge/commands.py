"""``latchpin edge``: configure a data plane, and keep its configuration true."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from latchpin.errors import SettingsError
from latchpin.sdk.commands import opened, run, say, until_told

from latchpin_edge.folder import make_folder
from latchpin_edge.kinds import Kind, render, worker_ids
from latchpin_edge.plan import Front, Plan, find_plan
from latchpin_edge.running import check, find_program, write
from latchpin_edge.units import render_unit
from latchpin_edge.watching import Watch

__all__ = ["app"]

app = typer.Typer(name="edge", help="Let nginx or Envoy move MCP calls.", no_args_is_help=True)

KindArgument = Annotated[Kind, typer.Argument(help="Which data plane.")]
ListenOption = Annotated[str, typer.Option("--listen", help="Where callers reach it.", metavar="HOST:PORT")]
CertificateOption = Annotated[
    Path | None, typer.Option("--certificate", help="Its certificate with the chain, PEM; without one, no TLS here.")
]
KeyOption = Annotated[Path | None, typer.Option("--key", help="The certificate's key, PEM.")]
ProgramOption = Annotated[str | None, typer.Option("--program", help="The program, where it is not found by itself.")]
Output = Annotated[Path, typer.Option("--output", help="The file that the data plane reads.")]
DEFAULT_LISTEN = "127.0.0.1:8080"
EVERY_SECONDS = 2.0


@app.callback()
def group() -> None:
    """Let nginx or Envoy move MCP calls."""


@app.command()
def config(  # noqa: PLR0917  options
    kind: KindArgument,
    listen: ListenOption = DEFAULT_LISTEN,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write it there, for this user alone.")] = None,
    judge: Annotated[bool, typer.Option("--check", help="Let the program judge it, too.")] = False,
    program: ProgramOption = None,
) -> None:
    """Print the whole configuration of a data plane for the gateways that there are. EDGE_SECRET is in it."""
    plan = run(_plan(parse_front(listen, certificate, key)))
    text = render(kind, plan)
    for detour in plan.detours:
        say(f"{detour.gateway_id} is served by the proxy: {detour.reason}")
    if judge:
        make_folder(plan.folder, owner=worker_ids(kind))
        wrong = check(kind, find_program(kind, program), text)
        if wrong is not None:
            raise SettingsError(f"{kind.value} refuses the configuration: {wrong[:2000]}", remedy="Report this.")
        say(f"{kind.value} takes it")
    if output is not None:
        make_folder(plan.folder, owner=worker_ids(kind))
        write(output, text)
    elif not judge:
        sys.stdout.write(text)


@app.command()
def watch(  # noqa: PLR0917  options
    kind: KindArgument,
    output: Output,
    listen: ListenOption = DEFAULT_LISTEN,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    every: Annotated[float, typer.Option("--every", help="Seconds between two looks.", min=0.2, max=3600)] = (
        EVERY_SECONDS
    ),
    start: Annotated[bool, typer.Option("--start", help="Run the data plane, too, and end it with this.")] = False,
    program: ProgramOption = None,
) -> None:
    """Write the configuration, and anew whenever gateways or their addresses change; tell the data plane each time."""
    front = parse_front(listen, certificate, key)
    run(_watch(Watch(kind, front, output, find_program(kind, program)), every, start=start))


@app.command()
def unit(kind: KindArgument, output: Output, listen: ListenOption = DEFAULT_LISTEN) -> None:
    """Print units of systemd for the data plane and for what watches it."""
    parse_front(listen, None, None)
    sys.stdout.write(render_unit(kind, output=output, listen=listen))


async def _plan(front: Front) -> Plan:
    async with opened() as application:
        return await find_plan(application, front)


async def _watch(watching: Watch, every: float, *, start: bool) -> None:
    async with opened() as application:
        await until_told(watching.run(application, every, start=start))


def parse_front(listen: str, certificate: Path | None, key: Path | None) -> Front:
    """Where callers reach the data plane.

    Raises:
        SettingsError: an option does not hold.
    """
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        text = f"--listen holds {listen[:100]!r}, which is no address and port"
        raise SettingsError(text, remedy="Write it as in 127.0.0.1:8080 or [::1]:8080.")
    if key is not None and certificate is None:
        raise SettingsError("--key stands without --certificate", remedy="Name the certificate too.")
    return Front(host, port, *(None if each is None else each.resolve() for each in (certificate, key)))
