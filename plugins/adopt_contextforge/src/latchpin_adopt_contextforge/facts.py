"""What is told of what was taken over, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "TOKEN_ADOPTED"]

TOKEN_ADOPTED = OwnFact(
    "token.adopted",
    FactKind(
        "A token or key that another gateway had kept was taken over.",
        "source",
        "%(actor)s took over the token of %(subject)s at gateway %(gateway_id)s from %(source)s",
    ),
)

FACTS = (TOKEN_ADOPTED,)
"""All of them."""
