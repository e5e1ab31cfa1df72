"""Tells what happened, once: to the log, to listeners, who must not wait, and to recorders, who are waited for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from types import MappingProxyType

from latchpin.contracts import Clock, EventListener, Recorder
from latchpin.model.facts import FACTS, Detail, Fact, FactName, OwnFact

__all__ = ["Activity"]

_log = logging.getLogger("latchpin.activity")

_FAILED = "The %s %s failed on %s; nothing else is disturbed. Update or uninstall its distribution"
_heard: ContextVar[list[Fact] | None] = ContextVar("heard", default=None)


class Activity:
    """The one place that facts are told to. A reader that fails is logged, and disturbs nothing.

    Args:
        clock: the gateway's.
        listeners: by what they and their plugins are called, in the order of their rank.
        recorders: likewise.
    """

    def __init__(
        self,
        clock: Clock,
        listeners: Mapping[str, EventListener] = MappingProxyType({}),
        recorders: Mapping[str, Recorder] = MappingProxyType({}),
    ) -> None:
        self.clock = clock
        self._listeners = dict(listeners)
        self._recorders = dict(recorders)

    def add(self, listeners: Mapping[str, EventListener], recorders: Mapping[str, Recorder]) -> None:
        """Tell these too, from now on: they are opened after those who may tell something."""
        self._listeners |= listeners
        self._recorders |= recorders

    @contextmanager
    def hearing(self) -> Iterator[list[Fact]]:
        """Give what is told within the block, by recorders too: so whoever caused it can say what came of it."""
        facts: list[Fact] = []
        before = _heard.set(facts)
        try:
            yield facts
        finally:
            _heard.reset(before)

    def note(
        self, what: FactName | OwnFact, *, actor: str = "", subject: str = "", gateway_id: str = "", **details: Detail
    ) -> Fact:
        """Tell those who are quick: for what happens where nobody may wait. Returns what was told."""
        name, kind = (what.name, what.kind) if isinstance(what, OwnFact) else (what, FACTS[what])
        fact = Fact(name, self.clock(), actor, subject, gateway_id, details)
        if kind.line:
            _log.log(kind.level, kind.line, {**asdict(fact), **details})
        self.hand_out(fact)
        return fact

    def hand_out(self, fact: Fact) -> None:
        """Tell those who are quick a fact that is made already, and of which the log says nothing here."""
        if (heard := _heard.get()) is not None:
            heard.append(fact)
        for reader, listener in self._listeners.items():
            try:
                listener.on_event(fact)
            except Exception:  # noqa: BLE001  a listener may fail in any way
                _log.exception(_FAILED, "event listener", reader, fact.name)

    async def tell(
        self, what: FactName | OwnFact, *, actor: str = "", subject: str = "", gateway_id: str = "", **details: Detail
    ) -> None:
        """Tell everybody. What was done is recorded when this returns, or the log says what is missing."""
        fact = self.note(what, actor=actor, subject=subject, gateway_id=gateway_id, **details)
        for reader, recorder in self._recorders.items():
            try:
                await recorder.record(fact)
            except Exception:  # noqa: BLE001  a recorder may fail in any way; what was done stays done
                _log.exception(_FAILED, "recorder", reader, fact.name)
