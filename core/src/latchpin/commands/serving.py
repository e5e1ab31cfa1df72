"""``latchpin serve`` and ``latchpin plugins``."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from typing import Annotated

import typer

from latchpin.plugins.hookspecs import HOOKS
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings

_log = logging.getLogger("latchpin.serve")
app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [HOST].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [PORT].")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes [WORKERS].")] = None,
) -> None:
    """Serve the gateway until Ctrl-C.

    Settings come from the environment and .env; an option here wins over both. Workers read the same.
    """
    from latchpin.activity.logs import set_up_logging  # noqa: PLC0415  the help does without the server
    from latchpin.serving.serve import doubt_about_base_url, require_servable  # noqa: PLC0415
    from latchpin.serving.serve import serve as run_server  # noqa: PLC0415

    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[name] = str(value)
    settings = load(CoreSettings)
    installed = Plugins()
    installed.require_sound(HOOKS)
    require_servable(installed, settings)
    set_up_logging(settings)
    if doubt := doubt_about_base_url(settings):
        _log.warning("%s", doubt)
    for use in installed.leaving():
        _log.warning("%s", use)
    raise typer.Exit(run_server(settings, installed))


@app.command()
def plugins(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the installed plugins: what each offers, and what is selected and why.

    Exits with 1 if anything is wrong with them: the gateway does not start then. What a plugin names by its place,
    such as routes, is loaded by 'latchpin doctor' and 'latchpin serve'.
    """
    from latchpin.assembly.plugin_report import build_plugin_report  # noqa: PLC0415  as above
    from latchpin.commands.console import print_json, say  # noqa: PLC0415  a server has no use for rich
    from latchpin.commands.tables import print_table  # noqa: PLC0415

    report = build_plugin_report(Plugins())
    rows = [asdict(row) for row in report.rows]
    if report.warning:
        say(f"warning: {report.warning}")
    for use in report.leaving:
        say(f"warning: {use}")
    if as_json:
        print_json(rows)
    else:
        columns = ("distribution", "version", "offers", "name", "selected")
        print_table(columns, [[row[key] for key in columns] for row in rows])
    for fault in report.faults:
        say(f"error: {fault.detail}")
        say(f"  remedy: {fault.remedy}")
    if report.faults:
        raise typer.Exit(1)
