"""A failure that the gateway can name, as a finding: its own words, remedy and cause."""

from __future__ import annotations

from latchpin.contracts import Finding, Fix, Severity
from latchpin.errors import LatchpinError

__all__ = ["finding_of"]


def finding_of(
    error: LatchpinError,
    title: str,
    *,
    severity: Severity = Severity.FAILURE,
    command: str = "",
    fix: Fix | None = None,
) -> Finding:
    """Say under ``title`` what ``error`` says."""
    return Finding(severity, title, error.detail or error.public, error.for_operator(), command, error.code, fix=fix)
