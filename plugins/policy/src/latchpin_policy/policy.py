"""All groups and rules as they stood at one moment, and what they say. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from latchpin.model import Caller
from latchpin.sdk.workers import Bounded

from latchpin_policy.gate import RuleGate
from latchpin_policy.group import PeopleGroup
from latchpin_policy.rule import Rule, is_about

__all__ = ["Policy"]

_MOST = 20_000
_Key = tuple[str, str, frozenset[str]]


class Policy:
    """What holds.

    Args:
        rules: in the order in which people see them.
        groups: the same.
    """

    def __init__(self, rules: Sequence[Rule], groups: Sequence[PeopleGroup]) -> None:
        self.rules = tuple(rules)
        self.groups = tuple(groups)
        self._about_tools = [rule for rule in rules if rule.effect != "scopes"]
        self._about_scopes = [rule for rule in rules if rule.effect == "scopes"]
        self._gates: Bounded[_Key, RuleGate | None] = Bounded(_MOST)
        members: defaultdict[str, set[str]] = defaultdict(set)
        for group in groups:
            for member in group.members:
                members[member].add(group.name)
        self._by_member = {member: frozenset(names) for member, names in members.items()}

    def groups_of(self, email: str) -> frozenset[str]:
        """The groups that name the person, or everybody of their domain."""
        if not self._by_member:
            return frozenset()
        none: frozenset[str] = frozenset()
        everybody = f"*@{email.rpartition('@')[2]}"
        return self._by_member.get(email, none) | self._by_member.get(everybody, none)

    def gate(self, gateway_id: str, caller: Caller) -> RuleGate | None:
        """The gate of the rules about this caller there, each time the same; None: there are none."""
        if not self._about_tools:
            return None
        key = (gateway_id, caller.email, caller.groups)
        if key not in self._gates:
            found = [rule for rule in self._about_tools if is_about(rule, gateway_id, caller)]
            self._gates[key] = RuleGate(found) if found else None
        return self._gates[key]

    def ceiling(self, gateway_id: str, caller: Caller) -> frozenset[str] | None:
        """The scopes that every rule about them names; None: no rule is about them."""
        found = [frozenset(rule.scopes) for rule in self._about_scopes if is_about(rule, gateway_id, caller)]
        return frozenset.intersection(*found) if found else None
