"""The one account of a flow: its scripts tell each step once, as a fact, which the log and the listeners read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from latchpin.activity.activity import Activity
from latchpin.activity.flow_log import FlowLog, FlowNames
from latchpin.errors import CallbackError, CallerError, LatchpinError, UpstreamError
from latchpin.model.facts import Detail, Fact
from latchpin.model.flow_steps import Failed, StepFacts
from latchpin.model.step_names import Phase

__all__ = ["FlowRecorder", "FlowSpan", "current_flow"]

_UNNAMED = FlowNames()
_CURRENT: ContextVar[str | None] = ContextVar("latchpin_flow", default=None)


def current_flow() -> str | None:
    """The flow that the code that runs now belongs to, for the log: its lines carry the id wherever they come from."""
    return _CURRENT.get()


class FlowRecorder:
    """Gives out spans.

    Args:
        activity: is told each step.
        log: writes what the log says of a step.
        worker: names this process.
        timer: counts seconds; it only measures.
    """

    def __init__(
        self, activity: Activity, log: FlowLog, *, worker: str, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._activity = activity
        self._log = log
        self._worker = worker
        self.timer = timer

    def open(self, during: Phase) -> FlowSpan:
        """One request's part of a flow. Its first step is timed from now."""
        return FlowSpan(self, during)

    def tell(self, names: FlowNames, step: StepFacts, seconds: float, error: LatchpinError | None) -> None:
        """Tell one step; ``error`` is what ended the flow, where the step is that it failed."""
        self._log.write(names, step, error)
        details: dict[str, Detail] = {
            "flow_id": names.flow_id,
            "step": step.step,
            "seconds": seconds,
            "worker": self._worker,
            "outcome": "failed" if isinstance(step, Failed) else "done",
        }
        for name in step.__slots__:
            details[name] = getattr(step, name)
        at = self._activity.clock()
        self._activity.hand_out(Fact("flow.step", at, "", names.app_user_email, names.gateway_id, details))


class FlowSpan:
    """Records the steps of one request. As a context manager it records what it is left with as the failure.

    Until it has a name nothing is recorded, but that a callback failed.
    """

    def __init__(self, recorder: FlowRecorder, during: Phase) -> None:
        self._recorder = recorder
        self._during: Phase = during
        self._names = _UNNAMED
        self._issued_by: str | None = None
        self._before = recorder.timer()
        self._token: Token[str | None] | None = None

    def name(self, flow_id: str, gateway_id: str, app_user_email: str, *, issued_by: str | None = None) -> None:
        """Say which flow it is, once that is proven; ``issued_by`` is the process that made the state."""
        self._names = FlowNames(flow_id, gateway_id, app_user_email)
        self._issued_by = issued_by
        if self._token is not None:
            _CURRENT.set(flow_id)

    def elapsed(self) -> float:
        """Seconds since the last step."""
        return _to_microseconds(self._recorder.timer() - self._before)

    def step(self, step: StepFacts, error: LatchpinError | None = None) -> None:
        """Record that a step was done."""
        now, recorder, names = self._recorder.timer(), self._recorder, self._names
        seconds, self._before = _to_microseconds(now - self._before), now
        if names.flow_id or (self._during == "callback" and error is not None):
            recorder.tell(names, step, seconds, error)

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


def _to_microseconds(seconds: float) -> float:
    """``seconds`` to six digits, in a fifth of the time that ``round`` takes."""
    return int(seconds * 1e6 + 0.5) / 1e6
