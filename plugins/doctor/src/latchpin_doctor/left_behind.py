"""Is anything kept that a distribution was to do, which is not installed any more?"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from latchpin.contracts import Finding, Severity
from latchpin.model import CollectionSpec, Span

from latchpin_doctor.examination import Examination

__all__ = ["check_left_behind"]

OWED = CollectionSpec("core_revocations", indexes=("person", "due"))
"""Tokens that ``latchpin-offboarding`` still has to have revoked."""


async def check_left_behind(context: Examination) -> Sequence[Finding]:
    """Tokens of people who left, which nobody has revoked."""
    if context.application is None or find_spec("latchpin_offboarding") is not None:
        return []
    if not await context.application.services.context.collection(OWED).scan("due", Span(), limit=1):
        return []
    return [
        Finding(
            Severity.FAILURE,
            "Tokens of people who left are still to be revoked, and nobody does it",
            "These people stay out, and their tokens are gone here. At the servers the tokens are valid until they "
            "expire.",
            "Install latchpin-offboarding with pip, and restart.",
        )
    ]
