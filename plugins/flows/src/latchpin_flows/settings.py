"""The plugin's variable."""

from __future__ import annotations

from datetime import timedelta

import latchpin
from pydantic import Field

__all__ = ["FlowSettings"]


class FlowSettings(latchpin.Settings):
    """How long flows are kept."""

    flow_history_hours: int = Field(
        24, ge=0, le=24 * 366, description="How long a flow's steps are kept after its last one, hours; 0: not at all."
    )

    @property
    def life(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=self.flow_history_hours)
