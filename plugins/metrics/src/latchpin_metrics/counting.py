"""Counts what the gateway tells and how long its operations take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from latchpin.contracts import Operation
from latchpin.model import Fact

from latchpin_metrics.meters import Meters, meters

__all__ = ["CountingListener", "CountingObserver"]

_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


class CountingListener:
    """Implements ``latchpin.contracts.EventListener``."""

    def on_event(self, fact: Fact) -> None:
        """Count it."""
        counted = meters()
        match fact.name:
            case "flow.step":
                _count_step(counted, fact.details)
            case "token.refreshed":
                counted.refreshes["refreshed",].inc()
            case "token.spent":
                counted.refreshes["spent",].inc()
            case "token.disconnected" | "token.dropped":
                counted.disconnects.inc()
            case "tools.fetched":
                counted.fetches["fetched", ""].inc()


_OUTCOMES = {"begun": "begun", "sealed": "completed"}
"""The steps at which an authorization has begun and is complete."""


def _count_step(counted: Meters, facts: Mapping[str, Any]) -> None:
    step = str(facts["step"])
    counted.steps[step,].observe(facts["seconds"])
    if facts["outcome"] == "failed" and facts["during"] == "fetch-tools":
        counted.fetches["failed", str(facts["cause"])].inc()
        return
    outcome = "failed" if facts["outcome"] == "failed" else _OUTCOMES.get(step)
    if outcome is not None:
        counted.flows[outcome, str(facts.get("cause", ""))].inc()


@dataclass(frozen=True, slots=True)
class CountingObserver:
    """Implements ``latchpin.contracts.Observer``."""

    timer: Callable[[], float] = field(default=time.perf_counter)

    def begin(self, operation: Operation) -> Callable[[], None]:
        """Time it."""
        return partial(self._count, operation, self.timer())

    def _count(self, operation: Operation, began: float) -> None:
        seconds, counted, facts = self.timer() - began, meters(), operation.facts
        match operation.kind:
            case "request":
                status = facts.get("status", "")
                counted.requests[_method(operation.name), facts.get("route", ""), status].observe(seconds)
            case "upstream":
                outcome = facts.get("status", operation.outcome)
                counted.upstream[_method(operation.name), facts["host"], outcome].observe(seconds)
            case "store":
                counted.store[operation.name, operation.outcome].observe(seconds)


def _method(name: str) -> str:
    """The request's method; anybody may send any word."""
    return name if name in _METHODS else "other"
