"""Gateways as a person names them: by id, by name, or by the first digits of an id, as lists show them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from latchpin.model import Gateway

__all__ = ["PREFIX", "find_named"]

PREFIX = re.compile(r"[0-9a-f]{4,31}")
"""The first digits of an id: four at the least, so that a slip names nothing."""


def find_named(gateways: Iterable[Gateway], which: str) -> list[Gateway]:
    """Those that ``which`` may mean: the one with that id, else those of that name, else all that come close.

    Names come close that differ in upper and lower case only, and ids that begin so.
    """
    every, folded, begins = list(gateways), which.casefold(), PREFIX.fullmatch(which) is not None
    return (
        [each for each in every if each.id == which]
        or [each for each in every if each.name == which]
        or [each for each in every if each.name.casefold() == folded or (begins and each.id.startswith(which))]
    )
