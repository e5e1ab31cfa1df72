"""Where sessions at servers are kept; read too by what serves nothing."""

from __future__ import annotations

from latchpin.model import CollectionSpec

__all__ = ["KEPT"]

KEPT = CollectionSpec("aggregator_sessions", ("gateway",), sealed=frozenset({"session"}), disposable=True)
