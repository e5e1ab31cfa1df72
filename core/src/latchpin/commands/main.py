"""The command ``latchpin``: the core's commands and those that plugins add."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping

import typer

from latchpin import __version__
from latchpin.errors import LatchpinError, PluginError, SettingsError
from latchpin.plugins import elsewhere

__all__ = ["COMMANDS", "build", "main"]

FAILED = 1

COMMANDS: Mapping[str, str] = {
    "serve": "latchpin.commands.serving",
    "plugins": "latchpin.commands.serving",
    "login-link": "latchpin.commands.people",
    "token": "latchpin.commands.people",
    "secret": "latchpin.commands.secret",
}
"""The core's commands, in the order of the help, and the module that has each in its ``app``."""


def build(first: str | None = None) -> typer.Typer:
    """Put the commands together. A broken plugin only loses its own.

    Args:
        first: the first word of the command line. If it is a command of the core, only that is put together: a server
            does not keep in memory what belongs to other commands.
    """
    app = typer.Typer(
        name="latchpin",
        help="An OAuth gateway for MCP servers, composed from plugins.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    alone = COMMANDS.get(first or "")
    modules = dict.fromkeys(COMMANDS.values()) if alone is None else [alone]
    parts: list[typer.Typer] = [importlib.import_module(module).app for module in modules]
    if alone is None:
        parts += _commands_of_plugins()
    for part in parts:
        app.add_typer(part)
    if alone is None:
        _add_missing(app)
    return app


def _commands_of_plugins() -> list[typer.Typer]:
    """What plugins add; a plugin that fails here must not take the other commands along."""
    from latchpin.plugins.hookspecs import COMMANDS as ADDED  # noqa: PLC0415  see main
    from latchpin.plugins.host import Plugins  # noqa: PLC0415

    offers, errors = Plugins().offers_and_errors(ADDED)
    for error in errors:
        sys.stderr.write(f"latchpin: warning: {error.detail}\n")
    return [offer.value for offer in offers]


def _add_missing(app: typer.Typer) -> None:
    """Add a hidden command in the place of each whose distribution is not installed; it says what to install."""
    whatever_follows = {"ignore_unknown_options": True, "allow_extra_args": True}
    for distribution, brings in elsewhere.missing().items():
        for name in brings.commands:
            add = app.command(name, hidden=True, add_help_option=False, context_settings=whatever_follows)
            add(_explain(name, distribution))


def _explain(name: str, distribution: str) -> Callable[[], None]:
    def explain() -> None:
        raise PluginError(
            f"'latchpin {name}' comes with {distribution}, which is not installed",
            remedy=f"Install it: pip install {distribution}",
        )

    return explain


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
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except LatchpinError as exc:
        kind = "configuration error" if isinstance(exc, SettingsError | PluginError) else "error"
        sys.stderr.write(f"latchpin: {kind}: {exc.in_full}\n")
        if remedy := exc.for_operator():
            sys.stderr.write(f"  remedy: {remedy}\n")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
