"""The plugin's variables."""

from __future__ import annotations

import latchpin
from pydantic import Field

__all__ = ["AttentionSettings"]


class AttentionSettings(latchpin.Settings):
    """When a connection needs its person before it has ended."""

    attention_days_ahead: int = Field(
        7,
        ge=0,
        le=365,
        description="Days before the known end of what a server granted, from which on its person is needed; at most "
        "the last fifth.",
    )
