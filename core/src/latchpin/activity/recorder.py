"""The one account of a flow: its scripts tell each step once, and three readers make of it what they are for.

The log writes the guide's lines, event listeners are told, and the history keeps it for people. Whoever needs to know
more of a flow adds a fact to a step, or a reader here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from latchpin.activity.events import Events
from latchpin.contracts import Clock
from latchpin.errors import CallbackError, CallerError, LatchpinError, UpstreamError
from latchpin.model.flow_facts import Facts, Failed, Phase
from latchpin.model.flow_steps import FlowStep

__all__ = ["FlowRecorder", "StepEvents", "StepReader", "FlowSpan", "current_flow"]

_CURRENT: ContextVar[str | None] = ContextVar("latchpin_flow", default=None)


def current_flow() -> str | None:
    """The flow that the code that runs now belongs to, for the log: its lines carry the id wherever they come from."""
    return _CURRENT.get()


class StepReader(Protocol):
    """Is told each step, in the flow's own task: it must be quick, wait for nothing and raise nothing."""

    def read(self, step: FlowStep, error: LatchpinError | None) -> None:
        """``error`` is what ended the flow, where the step is that it failed."""


class StepEvents:
    """The reader for plugins: one event for each step, without the user."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def read(self, step: FlowStep, error: LatchpinError | None) -> None:  # noqa: ARG002  the cause is in the step
        """Tell the listeners."""
        self._events.tell(
            "flow.step",
            flow_id=step.flow_id or None,
            gateway_id=step.gateway_id or None,
            step=step.step,
            seconds=step.seconds,
            outcome=step.outcome,
            cause=step.cause,
            during=getattr(step.facts, "during", None),
        )


class FlowRecorder:
    """Gives out trails.

    Args:
        readers: in the order in which they are told.
        clock: the gateway's.
        worker: names this process.
        timer: counts seconds; it only measures.
    """

    def __init__(
        self,
        readers: Sequence[StepReader],
        *,
        clock: Clock,
        worker: str,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._readers = readers
        self.clock = clock
        self.worker = worker
        self.timer = timer

    def open(self, during: Phase) -> FlowSpan:
        """One request's part of a flow. Its first step is timed from now."""
        return FlowSpan(self, during)

    def tell(self, step: FlowStep, error: LatchpinError | None) -> None:
        """Tell every reader."""
        for reader in self._readers:
            reader.read(step, error)


@dataclass(frozen=True, slots=True)
class _Names:
    flow_id: str = ""
    gateway_id: str = ""
    app_user_email: str = ""


class FlowSpan:
    """Records the steps of one request. As a context manager it records what it is left with as the failure.

    Until it has a name nothing is recorded, but that a callback failed.
    """

    def __init__(self, journal: FlowRecorder, during: Phase) -> None:
        self._journal = journal
        self._during: Phase = during
        self._names = _Names()
        self._issued_by: str | None = None
        self._before = journal.timer()
        self._token: Token[str | None] | None = None

    def name(self, flow_id: str, gateway_id: str, app_user_email: str, *, issued_by: str | None = None) -> None:
        """Say which flow it is, once that is proven; ``issued_by`` is the process that made the state."""
        self._names = _Names(flow_id, gateway_id, app_user_email)
        self._issued_by = issued_by
        if self._token is not None:
            _CURRENT.set(flow_id)

    def elapsed(self) -> float:
        """Seconds since the last step."""
        return round(self._journal.timer() - self._before, 6)

    def step(self, facts: Facts, error: LatchpinError | None = None) -> None:
        """Record that a step was done."""
        now, journal, names = self._journal.timer(), self._journal, self._names
        seconds, self._before = round(now - self._before, 6), now
        if names.flow_id or (self._during == "callback" and error is not None):
            journal.tell(
                FlowStep(
                    flow_id=names.flow_id,
                    gateway_id=names.gateway_id,
                    app_user_email=names.app_user_email,
                    at=journal.clock(),
                    seconds=seconds,
                    worker=journal.worker,
                    facts=facts,
                ),
                error,
            )

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self._names.flow_id or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._fail(error if isinstance(error, LatchpinError) else LatchpinError(type(error).__name__))
        if self._token is not None:
            _CURRENT.reset(self._token)

    def _fail(self, error: LatchpinError) -> None:
        error.flow_id, error.gateway_id = self._names.flow_id or None, self._names.gateway_id or None
        failed = Failed(
            during=self._during,
            cause=error.code,
            status=error.status,
            happened=error.detail,
            internal=not isinstance(error, CallerError | CallbackError | UpstreamError),
            provider_error=getattr(error, "error", None),
            issued_by=self._issued_by,
        )
        self.step(failed, error)
