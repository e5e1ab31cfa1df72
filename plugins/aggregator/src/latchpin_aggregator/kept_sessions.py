"""Where sessions at servers are kept; read too by what serves nothing."""

from __future__ import annotations

from latchpin.model import CollectionSpec
from latchpin.sdk.keys import collection_use

__all__ = ["KEPT", "KEY_USE"]

KEPT = CollectionSpec("aggregator_sessions", ("gateway",), sealed=frozenset({"session"}), disposable=True)
KEY_USE = collection_use(KEPT)
