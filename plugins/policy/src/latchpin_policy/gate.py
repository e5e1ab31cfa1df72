"""What rules say of one caller's tools at one gateway. Pure.

Deny beats allow. Where any rule allows something to this person at this gateway, only what is allowed passes; where
none does, everything does that is not denied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latchpin.contracts import Verdict

from latchpin_policy.names import fold, matches
from latchpin_policy.rule import Rule

__all__ = ["RuleGate"]

NOTHING_SAYS = Verdict(allowed=True, rule="no rule holds it back")
NOTHING_ALLOWS = Verdict(allowed=False, rule="there are rules that allow tools here, and none allows this one")


class RuleGate:
    """Judges by rules.

    Args:
        rules: those about this caller at this gateway, in any order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        denying = (rule for rule in rules if rule.effect == "deny")
        self._denying = [(rule, {fold(each) for each in rule.tools}) for rule in denying]
        self._allowing = [rule for rule in rules if rule.effect == "allow"]

    def judge(self, name: str, definition: Mapping[str, Any] | None) -> Verdict | None:
        """See ``latchpin.contracts.ToolGate``."""
        found = self.decide(name, definition)
        return found if found is None or isinstance(found, Verdict) else _verdict(found)

    def decide(self, name: str, definition: Mapping[str, Any] | None) -> Rule | Verdict | None:
        """The rule that decides; a verdict where none does; None where that takes the definition."""
        folded, unsure = fold(name), False
        for rule, patterns in self._denying:  # by every name that a server may take for it
            if any(matches(each, folded) for each in patterns) or any(matches(each, name) for each in rule.tools):
                holds = _holds(rule, definition)
                if holds:
                    return rule
                unsure = unsure or holds is None
        if unsure:
            return None
        if not self._allowing:
            return NOTHING_SAYS
        for rule in self._allowing:  # by exactly this name
            if any(matches(each, name) for each in rule.tools):
                holds = _holds(rule, definition)
                if holds:
                    return rule
                unsure = unsure or holds is None
        return None if unsure else NOTHING_ALLOWS


def _holds(rule: Rule, definition: Mapping[str, Any] | None) -> bool | None:
    """Whether a rule's condition holds; None where the definition is needed and not known."""
    if rule.when == "always":
        return True
    if definition is None:
        return None
    return (rule.when == "read-only") is _is_read_only(definition)


def _is_read_only(definition: Mapping[str, Any]) -> bool:
    """As the server says it; a server that says nothing of it says no (MCP, ``ToolAnnotations``)."""
    annotations = definition.get("annotations")
    return isinstance(annotations, dict) and annotations.get("readOnlyHint") is True


def _verdict(rule: Rule) -> Verdict:
    return Verdict(rule.effect == "allow", rule.name)
