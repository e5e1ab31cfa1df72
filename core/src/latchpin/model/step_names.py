"""What the steps of an authorization are called, and the requests they belong to."""

from __future__ import annotations

from typing import Literal

__all__ = ["Phase", "StepName"]

StepName = Literal[
    "begun",
    "stored",
    "redirected",
    "returned",
    "verified",
    "consumed",
    "exchanged",
    "sealed",
    "tools-fetched",
    "failed",
]
Phase = Literal["authorize", "callback", "fetch-tools"]
"""Which request a step belongs to."""
