"""The plugin's variables."""

from __future__ import annotations

import latchpin
from pydantic import Field

__all__ = ["KeyRingSettings"]


class KeyRingSettings(latchpin.Settings):
    """What the plugin reads."""

    key_ring_days: int = Field(
        0, ge=0, le=3650, description="Days after which a new key is made by itself (KEY_SOURCE=ring); 0: never."
    )
    key_ring_reseal: bool = Field(
        True, description="Seal everything anew in the background after a rotation (KEY_SOURCE=ring)."
    )
