"""``latchpin plugin new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latchpin_scaffold.writing import KINDS, write_plugin

__all__ = ["app"]

app = typer.Typer(name="plugin", help="Begin a plugin of your own.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Begin a plugin of your own."""


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help=f"What it offers: {', '.join(KINDS)}.")],
    name: Annotated[str, typer.Argument(help="The distribution's name, as in acme-vault.")],
    folder: Annotated[Path, typer.Option(help="The folder below which it is made.")] = Path(),
) -> None:
    """Write a distribution with one hook, whose tests pass at once."""
    made = write_plugin(kind, name, folder)
    typer.echo(f"Made {made}. Try it:")
    typer.echo(f"  cd {made}\n  pip install -e '.[test]'\n  pytest\n  latchpin plugins")
