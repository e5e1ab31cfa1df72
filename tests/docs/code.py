"""What the code has: settings, hooks, errors, commands and endpoints, as the documentation has to name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import latchpin_testing
from latchpin.plugins.hookspecs import HOOKS
from latchpin.plugins.host import Plugins
from latchpin.settings import variables

from tests.docs.interfaces import load_commands, routes
from tests.docs.reference import defaults, models
from tests.servers.selection import CORE, plugins

__all__ = ["commands", "endpoints", "hooks", "setting_aliases", "settings", "suites"]

DISTRIBUTIONS = {each.name for each in (CORE, *plugins()) if each.entry_points}


def settings() -> dict[str, str]:
    """Each variable of core and plugins, with its default as ``.env`` holds it."""
    missing = DISTRIBUTIONS - {plugin.distribution for plugin in Plugins().installed}
    assert not missing, f"this check needs every distribution; not installed: {missing}"
    return defaults()


def setting_aliases() -> set[str]:
    """Each further name that any settings model of ours reads."""
    return {name for model in models().values() for name in variables(model)} - settings().keys()


def hooks() -> list[str]:
    """The names of the hooks, in their order."""
    return [hook.name for hook in HOOKS]


def suites() -> list[str]:
    """The names of the shipped suites."""
    return [name for name in latchpin_testing.__all__ if name.endswith("Contract")]


def commands() -> dict[str, set[str]]:
    """Each command, as people type it, with its options."""
    return {
        path: options for name, each in load_commands().items() for path, options in _commands(each, f"latchpin {name}")
    }


def _commands(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _commands(child, f"{path} {name}")
        return
    yield path, {option for parameter in command.params for option in parameter.opts if option.startswith("--")}


def endpoints() -> set[str]:
    """Method and path of each endpoint."""
    return {name for name, _ in routes()}
