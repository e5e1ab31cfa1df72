"""Which of the things in a plugin's module can be a hook.

Most cannot: classes, constants, other modules. To look at each of them closely took a tenth of ``latchpin --help``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pluggy import HookimplOpts

__all__ = ["HookFinder", "functions_of"]

CALLED = (FunctionType, MethodType, classmethod, staticmethod)
"""What pluggy takes for a hook, where it is marked."""


class HookFinder(pluggy.PluginManager):
    """Pluggy's manager; it passes over what cannot be a hook in a module."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        """Read how a hook is marked; None where nothing is."""
        if isinstance(plugin, ModuleType) and not isinstance(vars(plugin).get(name), CALLED):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def functions_of(module: object) -> Iterator[tuple[str, Any]]:
    """The functions that a plugin's module has, by name; no property of an object in its place is run."""
    if isinstance(module, ModuleType):
        named = list(vars(module).items())
    else:
        named = [(name, inspect.getattr_static(module, name)) for name in dir(module)]
    return ((name, value) for name, value in named if isinstance(value, CALLED))
