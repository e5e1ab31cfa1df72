"""A step of a flow as it is told and kept, and a flow as a list shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from latchpin.model.flow_facts import FACTS, Facts, Failed, StepName

__all__ = ["MOST_STEPS", "FlowOutcome", "FlowQuery", "FlowStep", "FlowSummary", "StepOutcome", "in_order", "summarize"]

StepOutcome = Literal["done", "failed"]
FlowOutcome = Literal["pending", "completed", "failed"]

MOST_STEPS = 200
"""Steps that one flow keeps: whoever repeats a callback without end fills no store."""

_RANKS = {name: rank for rank, name in enumerate(FACTS)}


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step of one flow.

    Attributes:
        flow_id: 32 hexadecimal digits; ``""`` where no flow is proven. Such a step is told and never kept.
        gateway_id: as the flow was begun for, ``""`` as above.
        app_user_email: the user who began the flow, ``""`` as above.
        at: when the step was done.
        seconds: how long it took, from the step before it in the same request.
        worker: the process that did it.
        facts: which step it is, and what is known about it.
    """

    flow_id: str
    gateway_id: str
    app_user_email: str
    at: datetime
    seconds: float
    worker: str
    facts: Facts

    @property
    def step(self) -> StepName:
        """The step's name."""
        return self.facts.step

    @property
    def outcome(self) -> StepOutcome:
        """Whether the step was done or is where the flow failed."""
        return "failed" if isinstance(self.facts, Failed) else "done"

    @property
    def cause(self) -> str | None:
        """The error code of a failure."""
        return self.facts.cause if isinstance(self.facts, Failed) else None

    def shown_facts(self) -> dict[str, str | int | float | bool | tuple[str, ...] | None]:
        """The facts by name."""
        return {name: getattr(self.facts, name) for name in self.facts.__slots__}


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """One flow in a list.

    Attributes:
        began_at: its first step that is kept.
        last_at: its last step.
        outcome: completed once its tokens are kept, whatever comes after; else failed if a step failed.
        cause: the error code of its first failure. A completed flow has one if a callback was repeated, for example.
        steps: how many are kept.
    """

    flow_id: str
    gateway_id: str
    app_user_email: str
    began_at: datetime
    last_at: datetime
    outcome: FlowOutcome
    cause: str | None
    steps: int


@dataclass(frozen=True, slots=True)
class FlowQuery:
    """Which flows to list: those that match every field that is not None.

    Attributes:
        before: only flows whose last step is before it: where a page ended, the next one begins.
        before_id: of the flows at the very moment ``before``, those with a smaller id too. Several flows may have their
            last step at one moment, and a page may end between them.
    """

    gateway_id: str | None = None
    app_user_email: str | None = None
    outcome: FlowOutcome | None = None
    cause: str | None = None
    before: datetime | None = None
    before_id: str = ""

    def matches(self, flow: FlowSummary) -> bool:
        """Whether ``flow`` is one of them."""
        return (
            self.gateway_id in {None, flow.gateway_id}
            and self.app_user_email in {None, flow.app_user_email}
            and self.outcome in {None, flow.outcome}
            and self.cause in {None, flow.cause}
            and (self.before is None or (flow.last_at, flow.flow_id) < (self.before, self.before_id))
        )


def in_order(steps: Sequence[FlowStep]) -> list[FlowStep]:
    """``steps`` as they happened; of several at one moment, in the order of a flow."""
    return sorted(steps, key=lambda step: (step.at, _RANKS[step.step]))


def summarize(steps: Sequence[FlowStep]) -> FlowSummary:
    """What a list shows of the flow that ``steps`` (one or more, in their order) belong to."""
    first, last = steps[0], steps[-1]
    done = {step.step for step in steps}
    outcome: FlowOutcome = "failed" if "failed" in done else "pending"
    if done & {"sealed", "tools-fetched"}:
        outcome = "completed"
    return FlowSummary(
        flow_id=first.flow_id,
        gateway_id=first.gateway_id,
        app_user_email=first.app_user_email,
        began_at=first.at,
        last_at=last.at,
        outcome=outcome,
        cause=next((step.cause for step in steps if step.cause is not None), None),
        steps=len(steps),
    )
