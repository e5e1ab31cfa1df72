"""When Python's garbage collector looks for cycles: seldom during a start or a command, never in what is open."""

from __future__ import annotations

import gc

__all__ = ["INTERVAL_SECONDS", "collect_all", "collect_little", "leave_to_the_end", "spare_what_is_open"]

WHILE_STARTING = 500_000
"""New objects between two collections during a start, which makes 200,000 and has hardly any to give back: what is
imported and opened stays. To go through them once takes 0.1 s."""
YOUNG = 10_000
"""New objects between two collections of the youngest generation while it serves; requests leave next to none."""
OLDER, ALL = 3, 100
"""The thresholds of the second generation, whose collection takes 10 ms, and of the oldest. To collect all that a burst
leaves would take 50 ms, in which nobody is answered: that is done every ``INTERVAL_SECONDS``, when there is little."""
INTERVAL_SECONDS = 60.0


def collect_little() -> None:
    """Begin a start or a command: until a server is open, hardly anything is collected."""
    gc.set_threshold(WHILE_STARTING)


def spare_what_is_open() -> None:
    """End it: what is open stays, and to go through it would take 0.1 s every other second."""
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, ALL)


def collect_all() -> None:
    """Collect all generations, except what is spared."""
    gc.collect()


def leave_to_the_end() -> None:
    """End a command: all that there is goes with the process, and to look through it before takes a tenth of a list."""
    gc.freeze()
