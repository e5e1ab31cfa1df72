"""The plugin's variables: none yet. What holds is entered, so that it changes while the gateway serves."""

from __future__ import annotations

import latchpin

__all__ = ["PolicySettings"]


class PolicySettings(latchpin.Settings):
    """Nothing is set."""
