"""Which of the guide's lines a piece of log holds."""

from __future__ import annotations

from tests.guide.commands import (
    BAD_SIGNATURE,
    DCR_FAILED,
    DISCOVERY_FAILED,
    HEALTHY_FLOW,
    MISMATCH,
    NO_ISSUER,
    OPAQUE,
)

__all__ = [
    "COMPLETED",
    "EXPIRED",
    "FAILED",
    "MESSAGES",
    "NOT_FOUND",
    "STORED",
    "USED",
    "VALIDATED",
    "named",
    "without_times",
]

STORED, VALIDATED, COMPLETED = (
    "Stored OAuth state in",
    "Successfully validated OAuth state from",
    "Completed OAuth flow for",
)
NOT_FOUND, EXPIRED, USED = "State not found in", "State has expired for", "State was already used for"
FAILED = "OAuth callback failed: "
_PUBLIC = (OPAQUE.text, BAD_SIGNATURE.text, MISMATCH.text)

MESSAGES = (
    STORED,
    VALIDATED,
    COMPLETED,
    NOT_FOUND,
    EXPIRED,
    USED,
    *(f"WARNING - {text}" for text in (BAD_SIGNATURE.text, MISMATCH.text)),
    *(FAILED + text for text in _PUBLIC),
    DCR_FAILED.text,
    NO_ISSUER.text,
    DISCOVERY_FAILED.text,
)
"""What the guide tells people to look for. Each may appear only when its cause holds."""

assert all(any(message in line for message in MESSAGES) for line in HEALTHY_FLOW.text.splitlines())


def named(log: str) -> set[str]:
    """Which messages are in ``log``."""
    return {message for message in MESSAGES if message in log}


def without_times(lines: list[str]) -> list[str]:
    """Each line from its level on: ``DEBUG - Stored ...``."""
    return [f"{line.partition(' - ')[0].rsplit(' ', 1)[-1]} - {line.partition(' - ')[2]}" for line in lines]
