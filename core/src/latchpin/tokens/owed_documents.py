"""Where tokens are kept that are still to be revoked, and what is known of them; read too by what serves nothing."""

from __future__ import annotations

from latchpin.model import CollectionSpec

__all__ = ["OWED", "OWED_TOKENS"]

OWED = CollectionSpec("core_revocations", indexes=("person", "due"))
OWED_TOKENS = CollectionSpec("core_revoked_tokens", sealed=frozenset({"token"}))
"""By the ids of what is owed: one that no key opens any more stands in nobody's way."""
