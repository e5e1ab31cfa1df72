"""What is told of a connection that ended, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "TOKEN_DROPPED"]

TOKEN_DROPPED = OwnFact("token.dropped", FactKind("A connection ended because nobody had used it.", "used [account]"))

FACTS = (TOKEN_DROPPED,)
"""All of them, in the order of the documentation."""
