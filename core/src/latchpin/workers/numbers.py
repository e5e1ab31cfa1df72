"""The numbers of the processes that serve side by side: each is told its own through its environment."""

from __future__ import annotations

import os

__all__ = ["announce_worker", "which_worker"]

_VARIABLE = "LATCHPIN_WORKER"


def announce_worker(number: int, total: int) -> None:
    """Tell the process that is spawned next which of ``total`` workers it is."""
    os.environ[_VARIABLE] = f"{number}/{total}"


def which_worker() -> tuple[int, int] | None:
    """This process's number among the workers of ``latchpin serve``, and how many they are; None where it is alone."""
    number, slash, total = os.environ.get(_VARIABLE, "").partition("/")
    return (int(number), int(total)) if slash else None
