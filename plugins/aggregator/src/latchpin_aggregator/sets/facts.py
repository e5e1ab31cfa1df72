"""What is told of what became of sets, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "SET_CHANGED", "SET_CREATED", "SET_REMOVED"]

SET_CREATED = OwnFact(
    "set.created", FactKind("A set of gateways was created.", "slug", "%(actor)s created the set %(slug)s")
)
SET_CHANGED = OwnFact(
    "set.changed",
    FactKind("A set of gateways was changed.", "slug changed", "%(actor)s changed the set %(slug)s"),
)
SET_REMOVED = OwnFact(
    "set.removed", FactKind("A set of gateways was removed.", "slug", "%(actor)s removed the set %(slug)s")
)

FACTS = (SET_CREATED, SET_CHANGED, SET_REMOVED)
"""All of them, in the order of the documentation."""
