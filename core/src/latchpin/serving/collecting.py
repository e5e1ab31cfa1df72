"""When Python looks for what only a circle keeps: seldom while a gateway starts, and never through what is open."""

from __future__ import annotations

import gc

__all__ = ["INTERVAL_SECONDS", "collect_all", "collect_little", "spare_what_is_open"]

WHILE_STARTING = 200_000
"""New objects between two looks: what is imported and opened stays, and a start would look some 350 times."""
YOUNG = 10_000
"""How many new objects are looked through at once while it serves; requests leave next to none."""


OLDER, ALL = 3, 100
"""After so many looks at new objects, those of these looks are looked through together, which takes 10 ms; after so
many of that, all are. All of a burst's would take 50 ms, in which nobody is answered: what such looks leave over is
looked for every ``INTERVAL_SECONDS``, when there is seldom much."""
INTERVAL_SECONDS = 60.0


def collect_little() -> None:
    """Begin a start: until all is open, next to nothing of it is looked through."""
    gc.set_threshold(WHILE_STARTING)


def spare_what_is_open() -> None:
    """End it: what is open stays. To look through all of that would take 0.1 s, every other second."""
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, ALL)


def collect_all() -> None:
    """Look through all that is not spared."""
    gc.collect()
