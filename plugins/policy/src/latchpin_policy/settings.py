"""The plugin's variables. Groups and rules are entered, so that they change while the gateway serves."""

from __future__ import annotations

import latchpin
from pydantic import Field

__all__ = ["PolicySettings"]


class PolicySettings(latchpin.Settings):
    """What a deployer sets."""

    tool_pinning: bool = Field(
        False, description="Hold tools back whose definition has changed, until an administrator approves it."
    )
    tool_pinning_first_use: bool = Field(
        True, description="Approve what is listed first; false: an administrator approves every tool."
    )
