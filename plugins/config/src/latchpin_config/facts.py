"""What is told of files that are applied, beside what is told of each entry."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["APPLIED", "FACTS", "PUT_BACK"]

APPLIED = OwnFact(
    "configuration.applied",
    FactKind(
        "Files were applied; each entry that changed has a fact of its own before this one.",
        "source added changed removed",
        "%(actor)s applied the configuration %(source)s: %(added)s added, %(changed)s changed, %(removed)s removed",
    ),
)
PUT_BACK = OwnFact(
    "configuration.put-back",
    FactKind(
        "Files could not be applied, and what was written was put back.",
        "source failed",
        "%(actor)s could not apply the configuration %(source)s; all but %(failed)s were put back",
    ),
)

FACTS = (APPLIED, PUT_BACK)
"""All of them, in the order of the documentation."""
