"""Who is told what happened: listeners at once, recorders so that it lasts."""

from __future__ import annotations

from typing import Protocol

from latchpin.model.facts import Fact

__all__ = ["EventListener", "Recorder"]


class EventListener(Protocol):
    """Is told what happened, after it happened. It must be quick and must not raise: it is called in the flow.

    One that sends what it hears elsewhere puts it into a queue, which a task that its ``open`` started works off. It
    leaves ``actor`` and ``subject`` out where people are not to be named.
    """

    def on_event(self, fact: Fact) -> None:
        """Take ``fact``; one of a name that it does not know too."""


class Recorder(Protocol):
    """Keeps what was done. A request is answered once each recorder has kept what it did.

    It is told every fact but the steps of flows, which go on while nobody may wait.
    """

    async def record(self, fact: Fact) -> None:
        """Return once ``fact`` is kept. What it raises is logged; what was done is not undone."""
