"""A whole flow, as lists show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from latchpin_flows.steps import FlowStep

__all__ = ["FlowOutcome", "FlowQuery", "FlowSummary", "summarize"]

FlowOutcome = Literal["pending", "completed", "failed"]


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
