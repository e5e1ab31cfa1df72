"""Where tokens are kept that are still to be revoked, and what is known of them."""

from __future__ import annotations

from latchpin.model import CollectionSpec
from latchpin.sdk.keys import collection_use

__all__ = ["KEY_USE", "OWED", "OWED_TOKENS"]

OWED = CollectionSpec("core_revocations", indexes=("person", "due"))
OWED_TOKENS = CollectionSpec("core_revoked_tokens", sealed=frozenset({"token"}))
"""By the ids of what is owed: one that no key opens any more stands in nobody's way. Both were the core's before."""
KEY_USE = collection_use(OWED_TOKENS)
