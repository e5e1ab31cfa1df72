"""A flow as people and programs read it: the API, the page and the command line show the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from latchpin.errors import Cause, known_causes

from latchpin_flows.inspector import Flow
from latchpin_flows.steps import FlowStep
from latchpin_flows.summaries import FlowSummary

__all__ = ["cause_of", "describe_flow", "describe_step", "describe_summary", "fact_texts", "seconds_text"]

_HIDDEN = frozenset({"cause", "happened", "internal"})
"""Facts of a failure that are shown as sentences."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
_UNITS = ((DAY, HOUR, ("d", "h")), (HOUR, MINUTE, ("h", "min")), (MINUTE, 1, ("min", "s")))


def describe_summary(flow: FlowSummary) -> dict[str, Any]:
    """A flow in a list, as JSON."""
    return {
        "flow_id": flow.flow_id,
        "gateway_id": flow.gateway_id,
        "app_user_email": flow.app_user_email,
        "began_at": flow.began_at.isoformat(),
        "last_at": flow.last_at.isoformat(),
        "outcome": flow.outcome,
        "cause": flow.cause,
        "steps": flow.steps,
    }


def describe_step(step: FlowStep, began_at: datetime) -> dict[str, Any]:
    """A step as JSON; a failure with what its cause says."""
    shown: dict[str, Any] = {
        "step": step.step,
        "at": step.at.isoformat(),
        "since_start": round((step.at - began_at).total_seconds(), 6),
        "seconds": step.seconds,
        "worker": step.worker,
        "outcome": step.outcome,
        "facts": {name: value for name, value in step.facts.items() if name not in _HIDDEN},
    }
    cause = cause_of(step)
    if cause is not None:
        shown |= {
            "cause": cause.slug,
            "title": cause.title,
            "happened": step.facts.get("happened", ""),
            "remedy": cause.remedy,
        }
    return shown


def describe_flow(flow: Flow) -> dict[str, Any]:
    """A whole flow as JSON."""
    steps = [describe_step(step, flow.summary.began_at) for step in flow.steps]
    return describe_summary(flow.summary) | {"steps": steps}


def cause_of(step: FlowStep) -> Cause | None:
    """What is known of a failed step's cause. None for other steps, and for a cause of a plugin that is gone."""
    return known_causes().get(step.cause) if step.cause is not None else None


def fact_texts(step: FlowStep) -> list[tuple[str, str]]:
    """A step's facts as names and texts for people; what is not known is left out."""
    shown = [(name, value) for name, value in step.facts.items() if name not in _HIDDEN]
    return [
        (name.removesuffix("_seconds").replace("_", " "), _text(name, value))
        for name, value in shown
        if value is not None and value not in {"", ()}
    ]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, int | float) and name.endswith("_seconds"):
        return seconds_text(value)
    return str(value)


def seconds_text(seconds: float) -> str:
    """A duration in two figures or so: 0.4 ms, 12 ms, 3.2 s, 5 min 20 s, 24 h."""
    if seconds < 1:
        return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"  # noqa: PLR2004  below 10 ms
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    big, small, names = next(unit for unit in _UNITS if whole >= unit[0])
    rest = whole % big // small
    return f"{whole // big} {names[0]}" + (f" {rest} {names[1]}" if rest else "")
