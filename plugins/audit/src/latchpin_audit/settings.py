"""The plugin's variables."""

from __future__ import annotations

from typing import Literal

import latchpin
from pydantic import Field

__all__ = ["AuditSettings", "CallAuditSettings"]


class AuditSettings(latchpin.Settings):
    """Whether there is an audit log, and for how long its entries are kept."""

    audit_log: bool = Field(True, description="Keep a signed log of who authorized, disconnected and changed what.")
    audit_retention_days: int = Field(
        0, ge=0, le=36_500, description="How long its entries are kept, days; 0: for ever."
    )


class CallAuditSettings(latchpin.Settings):
    """Whether MCP calls are audited, and where."""

    audit_calls: Literal["off", "chain", "lines", "otlp"] = Field(
        "off",
        description="Where each MCP call is recorded: off, chain (the audit log), lines (JSON) or otlp (a collector).",
    )
    audit_calls_file: str | None = Field(
        None, description="The file for AUDIT_CALLS=lines; empty: standard output. It may be moved away at any time."
    )
    audit_calls_strict: bool = Field(
        False, description="End no call's answer before its record is kept; one that cannot be kept is not answered."
    )
    audit_calls_waiting: int = Field(
        10_000, ge=100, le=1_000_000, description="How many records a worker holds while they cannot be written."
    )
    audit_arguments: Literal["off", "hash"] = Field(
        "off", description="hash: record a keyed hash of each call's arguments; off: nothing of them."
    )
