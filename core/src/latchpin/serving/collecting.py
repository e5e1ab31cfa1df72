"""When Python looks for what only a circle keeps: seldom while a gateway starts, and never through what is open."""

from __future__ import annotations

import gc

__all__ = ["collect_little", "spare_what_is_open"]

WHILE_STARTING = 200_000
"""New objects between two looks: what is imported and opened stays, and a start would look some 350 times."""
YOUNG = 10_000
"""How many new objects are looked through at once while it serves; requests leave next to none."""


def collect_little() -> None:
    """Begin a start: until all is open, next to nothing of it is looked through."""
    gc.set_threshold(WHILE_STARTING)


def spare_what_is_open() -> None:
    """End it: what is open stays. To look through all of that would take 0.1 s, every other second."""
    gc.freeze()
    gc.set_threshold(YOUNG)
