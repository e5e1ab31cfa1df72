"""``latchpin config``: what is set, and what can be."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from pydantic_settings import BaseSettings
from rich.table import Table

from latchpin.commands.console import out, print_json
from latchpin.configuration import CoreSettings
from latchpin.env_example import write_example
from latchpin.plugins import Plugins
from latchpin.settings import load, masked, near_misses, variables

app = typer.Typer(name="config", help="Show the settings.", no_args_is_help=True)

_BACKEND_HOOKS = (
    "latchpin_signer",
    "latchpin_cipher",
    "latchpin_state_store",
    "latchpin_record_store",
    "latchpin_client_registrar",
    "latchpin_identity",
)


def settings_models(plugins: Plugins) -> dict[str, type[BaseSettings]]:
    """The core's settings model and every installed plugin's, by who reads it."""
    models: dict[str, type[BaseSettings]] = {"latchpin": CoreSettings}
    for hook in _BACKEND_HOOKS:
        for offer in plugins.offers(hook):
            model = offer.value.settings
            if model not in models.values():
                taken = offer.plugin.distribution in models
                models[f"{offer.plugin.distribution} ({offer.name})" if taken else offer.plugin.distribution] = model
    return models


@app.callback()
def group() -> None:
    """Show the settings."""


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every setting as it is read now, with secrets masked."""
    values: dict[str, str] = {}
    known: list[str] = []
    models = settings_models(Plugins())
    for model in models.values():
        known += variables(model)
        values |= {name: value for name, value in masked(load(model)).items() if name not in values}
    if as_json:
        print_json(values)
    else:
        table = Table("variable", "value")
        for name, value in values.items():
            table.add_row(name, value)
        out.print(table)
    for wrong, right in near_misses(known).items():
        sys.stderr.write(f"warning: .env sets {wrong}, which nothing reads; did you mean {right}?\n")


@app.command()
def example() -> None:
    """Print a .env that lists every variable of the core and the installed plugins."""
    sys.stdout.write(write_example(settings_models(Plugins())))
