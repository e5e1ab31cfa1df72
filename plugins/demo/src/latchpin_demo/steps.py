"""The demo tells what it does, step by step: each with its time, and the one that failed with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latchpin.errors import LatchpinError

__all__ = ["StepFailed", "Steps"]


class StepFailed(Exception):
    """A step did not work.

    Args:
        step: its name, as it was announced.
        reason: one or more sentences.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


class Steps:
    """Announces steps.

    Args:
        say: is given each finished line: the step, its milliseconds, and what it found.
    """

    def __init__(self, say: Callable[[str, float, str], None]) -> None:
        self._say = say

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Run one step; what it found goes into the list that it is given.

        Raises:
            StepFailed: in place of whatever went wrong inside.
        """
        found: list[str] = []
        began = time.perf_counter()
        try:
            yield found
        except StepFailed:
            raise
        except Exception as exc:
            raise StepFailed(name, _reason(exc)) from exc
        self._say(name, (time.perf_counter() - began) * 1000, " ".join(found))


def _reason(exc: Exception) -> str:
    if isinstance(exc, LatchpinError):
        return f"{exc.detail or exc.public} ({exc.for_operator()})"
    text = str(exc)
    if isinstance(exc, LookupError) and text:
        return text
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
