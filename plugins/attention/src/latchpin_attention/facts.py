"""What the plugin tells, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "MENDED", "NEEDS_PERSON"]

NEEDS_PERSON = OwnFact(
    "connection.needs-person",
    FactKind(
        "A connection needs its person. No act of anybody, so not in the log.",
        "need cause since",
        line="The connection of %(subject)s to gateway %(gateway_id)s needs its person: %(cause)s",
    ),
)
MENDED = OwnFact(
    "connection.mended",
    FactKind("A connection needs its person no more: it was mended, or has ended. Likewise.", "need cause"),
)

FACTS = (NEEDS_PERSON, MENDED)
"""All of them."""
