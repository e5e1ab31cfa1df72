"""A step of a flow, as the gateway tells it and as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from latchpin.model import Fact, StepName

__all__ = [
    "MOST_STEPS",
    "FlowStep",
    "StepOutcome",
    "describe_step",
    "dump_step",
    "in_order",
    "parse_step",
    "parse_steps",
    "step_of",
]

StepOutcome = Literal["done", "failed"]

MOST_STEPS = 200
"""Steps that one flow keeps: whoever repeats a callback without end fills no store."""

_OF_THE_STEP = ("flow_id", "step", "seconds", "worker", "outcome")
_RANKS = {name: rank for rank, name in enumerate(get_args(StepName))}
_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps would make one for each step


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
        step: which one it is; one of ``latchpin.model.StepName``, or of a later version.
        facts: what is known about it.
    """

    flow_id: str
    gateway_id: str
    app_user_email: str
    at: datetime
    seconds: float
    worker: str
    step: str
    facts: Mapping[str, Any]

    @property
    def outcome(self) -> StepOutcome:
        """Whether the step was done or is where the flow failed."""
        return "failed" if self.step == "failed" else "done"

    @property
    def cause(self) -> str | None:
        """The error code of a failure."""
        return self.facts.get("cause") if self.step == "failed" else None


def step_of(fact: Fact) -> FlowStep:
    """A fact called ``flow.step`` as a step."""
    facts: dict[str, Any] = dict(fact.details)
    flow_id, step, seconds, worker, _ = (facts.pop(name) for name in _OF_THE_STEP)
    return FlowStep(flow_id, fact.gateway_id, fact.subject, fact.at, seconds, worker, step, facts)


def in_order(steps: Sequence[FlowStep]) -> list[FlowStep]:
    """``steps`` as they happened; of several at one moment, in the order of a flow."""
    return sorted(steps, key=lambda step: (step.at, _RANKS.get(step.step, len(_RANKS))))


def describe_step(step: FlowStep) -> dict[str, Any]:
    """``step`` as an object of JSON. The flow's own names are kept beside it."""
    return {
        "step": step.step,
        "at": (step.at if step.at.tzinfo is UTC else step.at.astimezone(UTC)).isoformat(timespec="microseconds"),
        "seconds": step.seconds,
        "worker": step.worker,
        "facts": step.facts,
    }


def dump_step(step: FlowStep) -> str:
    """Write ``step`` as one line. Equal steps are equal text."""
    return _encode(describe_step(step))


def parse_steps(lines: Iterable[str], *, flow_id: str, gateway_id: str, app_user_email: str) -> list[FlowStep]:
    """Read what ``dump_step`` wrote, of whatever version.

    Raises:
        ValueError, KeyError, TypeError: something else wrote a line.
    """
    return [parse_step(json.loads(line), flow_id, gateway_id, app_user_email) for line in lines]


def parse_step(held: Mapping[str, Any], flow_id: str, gateway_id: str, app_user_email: str) -> FlowStep:
    """Read what ``describe_step`` gave; raises as ``parse_steps`` does."""
    return FlowStep(
        flow_id=flow_id,
        gateway_id=gateway_id,
        app_user_email=app_user_email,
        at=datetime.fromisoformat(held["at"]),
        seconds=float(held["seconds"]),
        worker=held["worker"],
        step=held["step"],
        facts={name: tuple(value) if isinstance(value, list) else value for name, value in held["facts"].items()},
    )
