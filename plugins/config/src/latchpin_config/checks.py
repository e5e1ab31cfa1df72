"""Looks for ``latchpin doctor`` at whether an apply died while it wrote."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity

from latchpin_config.applying import LIFE
from latchpin_config.marks import MARKS, Marks

__all__ = ["check_unfinished"]


async def check_unfinished(context: CheckContext) -> Sequence[Finding]:
    """Find an apply that began longer ago than any takes, and never said that it ended."""
    if context.records is None:
        return [Finding(Severity.SKIPPED, "Applied files were not looked at", "the record store could not be opened")]
    found = await Marks(context.records.collection(MARKS)).unfinished()
    if found is None or context.clock() < found.since + LIFE:
        return []
    return [
        Finding(
            Severity.WARNING,
            "An apply did not end",
            f"the source {found.source}, begun {found.since:%Y-%m-%d %H:%M} UTC: some of it may be written, some not",
            "Apply the files again: what is there already is left as it is.",
            "latchpin apply -f FILE",
        )
    ]
