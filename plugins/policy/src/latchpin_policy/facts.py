"""What is told of what became of rules and groups, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = [
    "FACTS",
    "GROUP_CHANGED",
    "GROUP_REMOVED",
    "RULE_CHANGED",
    "RULE_CREATED",
    "RULE_REMOVED",
    "TOOL_APPROVED",
    "TOOL_CHANGED",
]

RULE_CREATED = OwnFact(
    "rule.created", FactKind("A rule about tools or scopes was made.", "rule", "%(actor)s made %(rule)s")
)
RULE_CHANGED = OwnFact(
    "rule.changed", FactKind("A rule about tools or scopes was changed.", "rule changed", "%(actor)s changed %(rule)s")
)
RULE_REMOVED = OwnFact(
    "rule.removed", FactKind("A rule about tools or scopes was removed.", "rule", "%(actor)s removed %(rule)s")
)
GROUP_CHANGED = OwnFact(
    "group.changed",
    FactKind(
        "A group of people was made or changed.",
        "group added removed",
        "%(actor)s changed the group %(group)s: %(added)s added, %(removed)s removed",
    ),
)
GROUP_REMOVED = OwnFact(
    "group.removed", FactKind("A group of people was removed.", "group", "%(actor)s removed the group %(group)s")
)

TOOL_CHANGED = OwnFact(
    "tool.changed", FactKind("A server lists a tool as nobody approved it; it is held back (TOOL_PINNING).", "tool")
)
TOOL_APPROVED = OwnFact(
    "tool.approved",
    FactKind("A tool was approved as its server lists it.", "tool hash", "%(actor)s approved the tool %(tool)s"),
)

FACTS = (RULE_CREATED, RULE_CHANGED, RULE_REMOVED, GROUP_CHANGED, GROUP_REMOVED, TOOL_CHANGED, TOOL_APPROVED)
"""All of them, in the order of the documentation."""
