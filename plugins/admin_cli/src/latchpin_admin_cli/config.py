"""``latchpin config``: what is set, and what can be."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from latchpin.sdk.assembly import Plugins, doubtful_settings, settings_models, shown_settings
from latchpin.sdk.commands import print_json, print_table

from latchpin_admin_cli.env_example import write_example

app = typer.Typer(name="config", help="Show the settings.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show the settings."""


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every setting as it is read now, with secrets masked."""
    plugins = Plugins()
    values = {name: value for held in shown_settings(plugins).values() for name, value in held.items()}
    if as_json:
        print_json(values)
    else:
        print_table(("variable", "value"), list(values.items()))
    for sentence in doubtful_settings(plugins):
        sys.stderr.write(f"warning: {sentence}\n")


@app.command()
def example() -> None:
    """Print a .env that lists every variable of the core and the installed plugins."""
    sys.stdout.write(write_example(settings_models(Plugins())))
