"""The plugin's variables."""

from __future__ import annotations

import latchpin
from pydantic import Field

__all__ = ["AuditSettings"]


class AuditSettings(latchpin.Settings):
    """Whether there is an audit log, and for how long its entries are kept."""

    audit_log: bool = Field(True, description="Keep a signed log of who authorized, disconnected and changed what.")
    audit_retention_days: int = Field(
        0, ge=0, le=36_500, description="How long its entries are kept, days; 0: for ever."
    )
