"""The suites for what is told of events and operations: it never fails, never waits, and changes nothing."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from latchpin.contracts import EventListener, Observer, Operation, Recorder
from latchpin.model import Fact

from latchpin_testing.people import OpenedOffer
from latchpin_testing.rules import found, holds, same

__all__ = ["EventListenerContract", "ObserverContract", "RecorderContract"]

_AT = datetime(2026, 1, 2, tzinfo=UTC)
_ANN, _GATEWAY = "ann@example.com", "a" * 32
_STEP: dict[str, Any] = {"flow_id": "f" * 32, "seconds": 0.25, "worker": "w1", "outcome": "done"}
_FAILED = {"outcome": "failed", "cause": "state-signature-invalid", "during": "callback"}
FACTS = (
    Fact("flow.step", _AT, "", _ANN, _GATEWAY, {**_STEP, "step": "begun", "via": "session"}),
    Fact("flow.step", _AT, "", _ANN, _GATEWAY, {**_STEP, "step": "sealed", "store": "Redis", "replaced": False}),
    Fact("flow.step", _AT, details={**_STEP, **_FAILED, "flow_id": "", "step": "failed"}),
    Fact("token.refreshed", _AT, "gateway", _ANN, _GATEWAY),
    Fact("token.spent", _AT, "gateway", _ANN, _GATEWAY),
    Fact("token.disconnected", _AT, _ANN, _ANN, _GATEWAY),
    Fact("token.dropped", _AT, "gateway", "", _GATEWAY, {"used": "2026-01-01"}),
    Fact("tools.fetched", _AT, "", _ANN, _GATEWAY, {"count": 3}),
    Fact("gateway.created", _AT, _ANN, "", _GATEWAY),
    Fact("a.fact.of.a.later.version", _AT, details={"something": True}),
)


@pytest.mark.asyncio
class EventListenerContract(OpenedOffer):
    """What ``latchpin.contracts.EventListener`` promises. A subclass gives ``offer``, and ``settings`` that use it."""

    async def test_it_hears_every_event(self, service: EventListener) -> None:
        """Those of a later version too; it raises nothing, returns nothing, and leaves the facts as they are."""
        for fact in (*FACTS, *FACTS):
            given = replace(fact, details=dict(fact.details))
            try:
                answer: object = service.on_event(given)  # type: ignore[func-returns-value]
            except Exception as exc:
                text = f"contract broken: a listener raises nothing; on {fact.name} {found(exc)}"
                raise AssertionError(text) from exc
            if inspect.iscoroutine(answer):
                answer.close()
                pytest.fail("contract broken: on_event is a plain function; a coroutine would never be awaited")
            same(answer, None, "on_event returns nothing")
            same(given, fact, "a listener leaves the facts as they are")


@pytest.mark.asyncio
class RecorderContract(OpenedOffer):
    """What ``latchpin.contracts.Recorder`` promises. A subclass gives ``offer``, and ``settings`` that use it."""

    async def test_it_records_every_fact(self, service: Recorder) -> None:
        """Several at once, and those of a later version too; it raises nothing and leaves the facts as they are."""
        given = [replace(fact, details=dict(fact.details)) for fact in (*FACTS, *FACTS)]
        for outcome in await asyncio.gather(*map(service.record, given), return_exceptions=True):
            holds(not isinstance(outcome, BaseException), "a recorder raises nothing", found(outcome))
        same(given, [*FACTS, *FACTS], "a recorder leaves the facts as they are")


OPERATIONS: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
    ("request", "GET", {}, {"route": "/gateways", "status": "200"}),
    ("upstream", "POST", {"host": "as.example.com"}, {"status": "503"}),
    ("store", "states.consume", {}, {}),
    ("store", "an.operation.of.a.later.version", {}, {}),
)


@pytest.mark.asyncio
class ObserverContract(OpenedOffer):
    """What ``latchpin.contracts.Observer`` promises. A subclass gives ``offer``, and ``settings`` that use it."""

    async def test_it_watches_one_in_the_other(self, service: Observer) -> None:
        """A request, within it a call upstream, within that a store: each ends, the last first."""
        ends: list[tuple[Operation, Any]] = []
        for kind, name, facts, _ in OPERATIONS:
            operation = Operation(kind, name, dict(facts))  # type: ignore[arg-type]
            ends.append((operation, self._begin(service, operation)))
            for key, value in operation.carried.items():
                clean = isinstance(key, str) and isinstance(value, str) and not set("\r\n\0") & set(key + value)
                holds(clean, "what is carried is headers of one line", found((key, value)))
        for (operation, end), (_, _, _, known) in zip(reversed(ends), reversed(OPERATIONS), strict=True):
            operation.facts.update(known)
            self._end(end, operation)

    async def test_it_takes_failures_and_headers_of_others(self, service: Observer) -> None:
        """Whatever the outcome is, and whatever came along as the caller's trace."""
        for traceparent in ("", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "nonsense", "\u00fc" * 5000):
            operation = Operation("request", "GET", carried={"traceparent": traceparent, "tracestate": traceparent})
            end = self._begin(service, operation)
            operation.outcome = "CancelledError"
            self._end(end, operation)

    def _begin(self, service: Observer, operation: Operation) -> Any:  # noqa: ANN401  what it returned
        try:
            end = service.begin(operation)
        except Exception as exc:
            raise AssertionError(f"contract broken: an observer raises nothing; at a beginning {found(exc)}") from exc
        holds(callable(end), "begin returns what is called at the end", found(end))
        same(operation.outcome, "ok", "an observer does not decide the outcome")
        return end

    def _end(self, end: Any, operation: Operation) -> None:  # noqa: ANN401  what begin returned
        before = (operation.outcome, dict(operation.facts))
        try:
            answer = end()
        except Exception as exc:
            raise AssertionError(f"contract broken: an observer raises nothing; at an end {found(exc)}") from exc
        same(answer, None, "the end returns nothing")
        same((operation.outcome, dict(operation.facts)), before, "an observer leaves outcome and facts as they are")
