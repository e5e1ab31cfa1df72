"""A step as a line of JSON, for stores that keep text; the flow's own names are kept beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from latchpin.model.flow_facts import FACTS
from latchpin.model.flow_steps import FlowStep

__all__ = ["dump_step", "parse_steps"]

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps would make one for each step


def dump_step(step: FlowStep) -> str:
    """Write ``step`` as one line. Equal steps are equal text."""
    facts = step.facts
    return _encode(
        {
            "step": facts.step,
            "at": step.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "seconds": step.seconds,
            "worker": step.worker,
            "facts": {name: getattr(facts, name) for name in facts.__slots__},
        }
    )


def parse_steps(lines: Iterable[str | bytes], *, flow_id: str, gateway_id: str, app_user_email: str) -> list[FlowStep]:
    """Read what ``dump_step`` wrote.

    A step or fact of a newer version is left out: while versions change, old workers read what new ones wrote.

    Raises:
        ValueError, KeyError, TypeError: something else wrote a line.
    """
    found = [_parse(json.loads(line), flow_id, gateway_id, app_user_email) for line in lines]
    return [step for step in found if step is not None]


def _parse(held: dict[str, Any], flow_id: str, gateway_id: str, app_user_email: str) -> FlowStep | None:
    kind = FACTS.get(held["step"])
    if kind is None:
        return None
    given = held["facts"]
    # A fact that this version has and the writer had not: there is nothing to show for it.
    facts = {each.name: given.get(each.name) for each in fields(kind)}
    facts = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return FlowStep(
        flow_id=flow_id,
        gateway_id=gateway_id,
        app_user_email=app_user_email,
        at=datetime.fromisoformat(held["at"]),
        seconds=float(held["seconds"]),
        worker=held["worker"],
        facts=kind(**facts),
    )
