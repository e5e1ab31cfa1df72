"""The plugin's variables."""

from __future__ import annotations

import latchpin

__all__ = ["MemorySettings"]


class MemorySettings(latchpin.Settings):
    """Memory has nothing to set."""
