"""What the API answers about flows."""

from __future__ import annotations

from typing import Any

from latchpin.sdk.web import Document, Id, Moment
from pydantic import Field

from latchpin_flows.steps import StepOutcome
from latchpin_flows.summaries import FlowOutcome

__all__ = ["FlowDocument", "FlowList"]


class FlowSummaryDocument(Document):
    """An authorization attempt."""

    flow_id: Id
    gateway_id: str
    app_user_email: str
    began_at: Moment
    last_at: Moment
    outcome: FlowOutcome
    cause: str | None = Field(description="Of its first failure.")
    steps: int


class FlowList(Document):
    """Flows, the one with the newest step first."""

    flows: list[FlowSummaryDocument]
    next_before: str | None = Field(description="What ``before`` is for the next page; null at the end.")


class FlowStepDocument(Document):
    """A step of a flow. The last four members are there for a step that failed with a known cause."""

    step: str
    at: Moment
    since_start: float = Field(description="Seconds since the flow began.")
    seconds: float = Field(description="How long the step took.")
    worker: str
    outcome: StepOutcome
    facts: dict[str, Any]
    cause: str | None = None
    title: str | None = None
    happened: str | None = None
    remedy: str | None = None


class FlowDocument(Document):
    """A flow with every step."""

    flow_id: Id
    gateway_id: str
    app_user_email: str
    began_at: Moment
    last_at: Moment
    outcome: FlowOutcome
    cause: str | None
    steps: list[FlowStepDocument]
