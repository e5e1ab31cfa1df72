"""Modules that give names of other modules, and load those only when somebody asks for the name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["finder"]


def finder(
    module: str, places: Mapping[str, Sequence[str]], otherwise: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module (PEP 562).

    Args:
        module: its ``__name__``.
        places: the names that it gives, by the module that each is in.
        otherwise: finds the names that are in none of these, or raises ``AttributeError``.
    """
    by_name = {name: place for place, names in places.items() for name in names}

    def find(name: str) -> Any:  # noqa: ANN401  a module's attributes are anything
        if name not in by_name:
            if otherwise is not None:
                return otherwise(name)
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(import_module(by_name[name]), name)
        setattr(sys.modules[module], name, value)
        return value

    return find
