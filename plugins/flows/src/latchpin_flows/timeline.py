"""The picture of a flow: a bar for each step, on an axis that has the gateway's work only.

A person takes a minute at the provider, and our steps milliseconds: so the axis has each request of the flow as wide as
it took, and between two requests a gap of fixed width, whatever its length. The text says all that the picture says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latchpin.errors import Cause

from latchpin_flows.steps import FlowStep
from latchpin_flows.view import cause_of, fact_texts, seconds_text

__all__ = ["ShownStep", "build_timeline"]

WIDTH = 1000.0
GAP = 60.0
NARROWEST = 6.0
"""Of a bar, in parts of ``WIDTH``: less could not be seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the picture, in thousandths of its width."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One row of the timeline.

    Attributes:
        since: time since the flow began.
        bar: where the step is in the picture.
        away: how long nothing happened before this step, where a new request begins.
        cause: what is known of a failure's cause.
        happened: what happened in this case.
    """

    name: str
    at: str
    since: str
    took: str
    worker: str
    outcome: str
    facts: Sequence[tuple[str, str]]
    bar: Span
    away: str
    cause: Cause | None
    happened: str


def build_timeline(steps: Sequence[FlowStep]) -> tuple[list[ShownStep], list[Span]]:
    """The rows for ``steps``, which are in their order, and the gaps between requests."""
    starts = [index for index in range(1, len(steps)) if _begins(steps[index])]
    gap = min(GAP, WIDTH / 2 / max(1, len(starts)))
    scale = (WIDTH - gap * len(starts)) / (sum(step.seconds for step in steps) or 1.0)
    rows: list[ShownStep] = []
    gaps: list[Span] = []
    position = 0.0
    for index, step in enumerate(steps):
        away = ""
        if index in starts:
            gaps.append(Span(round(position, 1), round(gap, 1)))
            position += gap
            idle = (step.at - steps[index - 1].at).total_seconds() - step.seconds
            away = seconds_text(max(0.0, idle))
        rows.append(_row(step, steps[0], _bar(position, step.seconds * scale), away))
        position += step.seconds * scale
    return rows, gaps


def _begins(step: FlowStep) -> bool:
    """Whether a request of its own begins with this step."""
    if step.outcome == "failed":
        return step.facts.get("during") == "fetch-tools"
    return step.step in {"returned", "tools-fetched"}


def _bar(left: float, width: float) -> Span:
    width = max(NARROWEST, width)
    return Span(round(min(left, WIDTH - width), 1), round(width, 1))


def _row(step: FlowStep, first: FlowStep, bar: Span, away: str) -> ShownStep:
    return ShownStep(
        name=step.step.replace("-", " "),
        at=step.at.isoformat(timespec="milliseconds"),
        since=f"+{seconds_text(max(0.0, (step.at - first.at).total_seconds()))}",
        took=seconds_text(step.seconds),
        worker=step.worker,
        outcome=step.outcome,
        facts=fact_texts(step),
        bar=bar,
        away=away,
        cause=cause_of(step),
        happened=step.facts.get("happened", ""),
    )
