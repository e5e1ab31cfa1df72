"""What is told of what became of keys, beside the gateway's own facts."""

from __future__ import annotations

from latchpin.sdk.activity import FactKind, OwnFact

__all__ = ["FACTS", "KEYS_RESEALED", "KEY_RETIRED", "KEY_ROTATED"]

KEY_ROTATED = OwnFact("key.rotated", FactKind("A new key is today's.", "key", "%(key)s is today's key"))
KEYS_RESEALED = OwnFact(
    "keys.resealed",
    FactKind("Rows were sealed anew under today's key.", "key rows", "%(rows)s rows were sealed anew under %(key)s"),
)
KEY_RETIRED = OwnFact("key.retired", FactKind("An earlier key was taken out.", "key", "%(actor)s took out %(key)s"))

FACTS = (KEY_ROTATED, KEYS_RESEALED, KEY_RETIRED)
"""All of them, in the order of the documentation."""
