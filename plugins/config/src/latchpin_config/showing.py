"""Changes as people read them, line by line. No secret, and nothing that a terminal would act on. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from latchpin_config.planning import Change, Plan, Step
from latchpin_config.positions import shown

__all__ = ["describe_plan", "show_plan", "summary"]

_SIGNS = {"add": "+", "change": "~", "remove": "-", "same": " "}
_LONGEST = 200


def show_plan(plan: Plan) -> Iterator[str]:
    """A line for each entry and each member that changes."""
    for step in plan.writes:
        yield f"{_SIGNS[step.action]} {step.kind}.{shown(step.name)}"
        for change in step.changes:
            yield from (f"    {line}" for line in _lines(change))
        yield from (f"    ! {warning}" for warning in step.warnings)
    for mark in plan.left:
        yield f"? {mark.kind}.{shown(mark.name)} was in {mark.file} and is gone from it; --prune removes it"


def summary(plan: Plan) -> str:
    """How many of each."""
    counts = f"{plan.count('add')} to add, {plan.count('change')} to change, {plan.count('remove')} to remove"
    return f"{counts}, {plan.count('same')} as they should be"


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "changes": [_describe(step) for step in plan.writes],
        "same": plan.count("same"),
        "left": [{"kind": mark.kind, "name": mark.name, "file": mark.file} for mark in plan.left],
        "problems": [
            {"file": each.place.file, "line": each.place.line, "column": each.place.column, "problem": each.text}
            for each in plan.problems
        ],
    }


def _describe(step: Step) -> dict[str, Any]:
    return {
        "action": step.action,
        "kind": step.kind,
        "name": step.name,
        "members": [{"key": each.key, "before": each.before, "after": each.after} for each in step.changes],
        "warnings": list(step.warnings),
    }


def _lines(change: Change) -> Iterator[str]:
    key = shown(change.key)
    before, after = change.before, change.after
    if before is None:
        yield f"{key}: {_value(after)}"
    elif isinstance(before, list) and isinstance(after, list) and set(map(str, before)) != set(map(str, after)):
        yield from (f"{key}: - {_value(each)}" for each in before if each not in after)
        yield from (f"{key}: + {_value(each)}" for each in after if each not in before)
    else:
        yield f"{key}: {_value(before)} -> {'(default)' if after is None else _value(after)}"


def _value(value: Any) -> str:  # noqa: ANN401  any member's
    if isinstance(value, str) and value in {"(secret)", "(another secret)"}:
        return value
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
