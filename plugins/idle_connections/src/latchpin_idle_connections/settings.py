"""The plugin's variables."""

from __future__ import annotations

from datetime import timedelta

import latchpin
from pydantic import Field

__all__ = ["IdleConnectionSettings"]


class IdleConnectionSettings(latchpin.Settings):
    """What the plugin reads."""

    idle_connection_days: int = Field(
        0, ge=0, le=3650, description="Days after which a connection that nobody uses is dropped; 0: never."
    )

    @property
    def limit(self) -> timedelta:
        """For how long a connection may go unused; zero: for ever."""
        return timedelta(days=self.idle_connection_days)
