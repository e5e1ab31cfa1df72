"""The command line: the core's commands and those that plugins offer, each loaded when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from latchpin import __version__
from latchpin.contracts import Command
from latchpin.errors import PluginError

if TYPE_CHECKING:
    from latchpin.plugins.host import Offer

__all__ = ["COMMANDS", "Later", "build", "load"]

COMMANDS: Sequence[Command] = (
    Command("serve", "Serve the gateway until Ctrl-C.", "latchpin.commands.serving:app"),
    Command(
        "plugins",
        "List the installed plugins: what each offers, and what is selected and why.",
        "latchpin.commands.serving:app",
    ),
    Command(
        "login-link", "Print a link that signs a person in once, within 10 minutes.", "latchpin.commands.people:app"
    ),
    Command("token", "Make bearer tokens for API callers.", "latchpin.commands.people:token"),
    Command("secret", "Make secrets.", "latchpin.commands.secret:app"),
)
"""The core's, in the order of the help. No plugin can take their names."""

Load = Callable[[], TyperCommand | TyperGroup]


def build() -> typer.Typer:
    """Put the command line together. A broken plugin only loses its own commands."""
    app = typer.Typer(
        name="latchpin",
        cls=Commands,
        help="An OAuth gateway for MCP servers, composed from plugins.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


class Commands(TyperGroup):
    """All commands. Plugins are asked for theirs when the list is wanted, or a name that is not the core's."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  Typer's
        super().__init__(**attributes)
        self.commands = {each.name: Later(each, partial(load, each)) for each in COMMANDS}
        self._has_all = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  Typer's context has no public name
        """Name all."""
        self._add_all()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  as above
        """Find one; None if there is none of this name."""
        if cmd_name not in self.commands:
            self._add_all()
        if cmd_name not in self.commands:
            self._add(_missing_commands())
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  as above
        """Write the help; what is wrong with plugins is said before it."""
        self._add_all()
        super().format_help(ctx, formatter)

    def _add_all(self) -> None:
        if not self._has_all:
            self._has_all = True
            self._add(_commands_of_plugins())

    def _add(self, found: Iterable[Later]) -> None:
        for each in found:
            self.commands.setdefault(each.name or "", each)


class Later(TyperCommand):
    """The place of a command that is not loaded: in a list it is only its name and its one line."""

    def __init__(self, command: Command, load: Load, *, hidden: bool = False) -> None:
        super().__init__(command.name, help=command.about, short_help=command.about, hidden=hidden)
        self.load = load

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401
        """Leave all that follows on the command line to the command itself, its help too."""
        return self.load().make_context(info_name, args, parent, **extra)


def load(command: Command) -> TyperCommand | TyperGroup:
    """Import it. Its help is plain text, whatever the app has asked for: to draw frames takes longer than the rest.

    Raises:
        LookupError: where its app should be is something else, or none that has this name.
        Exception: what the module raises, whatever it is.
    """
    app = resolve_name(command.app)
    found = _named(command.name, app) if isinstance(app, typer.Typer) else None
    if found is None:
        raise LookupError(f"{command.app} is no Typer app that has '{command.name}'")
    return found


def _named(name: str, app: typer.Typer) -> TyperCommand | TyperGroup | None:
    """The group that the app is, or what it has of this name."""
    app.rich_markup_mode = None
    group = typer.main.get_group(app)
    found = group if group.name == name else group.commands.get(name)
    if not isinstance(found, TyperCommand | TyperGroup):
        return None
    _list_whole(found)
    return found


def _list_whole(command: TyperCommand | TyperGroup) -> None:
    """Have the help of a group say of each command all of its first paragraph, which else is cut off."""
    for each in command.commands.values() if isinstance(command, TyperGroup) else ():
        each.short_help = each.short_help or " ".join((each.help or "").split("\n\n")[0].split())
        if isinstance(each, TyperGroup):
            _list_whole(each)


def _commands_of_plugins() -> list[Later]:
    """What plugins add; a plugin that fails here must not take the other commands along."""
    from latchpin.plugins.hookspecs import COMMANDS as ADDED  # noqa: PLC0415  the core's commands do without
    from latchpin.plugins.host import Plugins  # noqa: PLC0415

    offers, errors = Plugins().offers_and_errors(ADDED)
    for error in errors:
        sys.stderr.write(f"latchpin: warning: {error.detail}\n")
    return [Later(offer.value, partial(_load_offered, offer)) for offer in offers]


def _load_offered(offer: Offer[Command]) -> TyperCommand | TyperGroup:
    from latchpin.plugins.fitness import broken  # noqa: PLC0415  seldom needed

    try:
        return load(offer.value)
    except (Exception, SystemExit) as exc:  # a plugin may fail in any way; we name it
        reason, remedy = broken(exc, offer.plugin.distribution)
        text = f"{offer.plugin} failed to load 'latchpin {offer.name}': {reason}"
        raise PluginError(text, remedy=remedy) from exc


def _missing_commands() -> Iterator[Later]:
    """One for each whose distribution is not installed; it says what to install."""
    from latchpin.plugins import elsewhere  # noqa: PLC0415  seldom needed

    for distribution, brings in elsewhere.missing().items():
        for name in brings.commands:
            yield Later(Command(name, "", ""), partial(_explain, name, distribution), hidden=True)


def _explain(name: str, distribution: str) -> NoReturn:
    raise PluginError(
        f"'latchpin {name}' comes with {distribution}, which is not installed",
        remedy=f"Install it: pip install {distribution}",
    )


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
