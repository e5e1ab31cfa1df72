"""Finds findings in a report."""

from __future__ import annotations

from latchpin.contracts import Finding, Severity
from latchpin_doctor import Report

__all__ = ["not_well", "of_check", "one"]


def not_well(report: Report) -> list[Finding]:
    """Warnings and failures."""
    return [each for each in report.findings if each.severity in {Severity.WARNING, Severity.FAILURE}]


def of_check(report: Report, check: str) -> list[Finding]:
    """What one check found."""
    return [finding for checked in report.checked if checked.check == check for finding in checked.findings]


def one(report: Report, words: str) -> Finding:
    """The one finding whose title has ``words``."""
    found = [finding for finding in report.findings if words in finding.title]
    assert len(found) == 1, [finding.title for finding in report.findings]
    return found[0]
