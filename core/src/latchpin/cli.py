"""The command ``latchpin``: the core's commands and those that plugins add."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from latchpin import __version__
from latchpin.errors import LatchpinError, PluginError, SettingsError

if TYPE_CHECKING:
    from latchpin.plugins import Plugins

__all__ = ["build", "main"]

FAILED = 1


def build() -> typer.Typer:
    """Put the commands together. A broken plugin only loses its own."""
    from latchpin.commands import (  # noqa: PLC0415  see main
        audit,
        config,
        doctor,
        flows,
        gateways,
        people,
        secret,
        serving,
        states,
    )
    from latchpin.demo import command as demo  # noqa: PLC0415
    from latchpin.plugins import Plugins  # noqa: PLC0415

    app = typer.Typer(
        name="latchpin",
        help="An OAuth gateway for MCP servers, composed from plugins.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    plugin_apps = _commands_of(Plugins())
    for part in (
        serving.app,
        doctor.app,
        demo.app,
        people.app,
        people.token,
        gateways.app,
        flows.app,
        states.app,
        audit.app,
        config.app,
        secret.app,
    ):
        app.add_typer(part)
    for part in plugin_apps:
        app.add_typer(part)
    return app


def _commands_of(plugins: Plugins) -> list[typer.Typer]:
    """What plugins add; a plugin that fails here must not take the other commands along."""
    try:
        return [offer.value for offer in plugins.offers("latchpin_commands")]
    except PluginError as exc:
        sys.stderr.write(f"latchpin: warning: no commands of plugins: {exc.detail}\n")
        return []


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"latchpin {__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Take the options that come before any command."""


def main() -> None:
    """Run the command line; an expected failure is one sentence and a remedy on stderr, and exit code 1.

    Imports wait until here, so that a worker process, which imports this module too, does not pay for them.
    """
    try:
        build()()
    except LatchpinError as exc:
        kind = "configuration error" if isinstance(exc, SettingsError | PluginError) else "error"
        sys.stderr.write(f"latchpin: {kind}: {exc.detail or exc.public}\n")
        if exc.remedy:
            sys.stderr.write(f"  remedy: {exc.remedy}\n")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
