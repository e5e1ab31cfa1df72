"""What was found out, as values: by check, by group, and as the JSON document of docs/doctor.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin import __version__
from latchpin.contracts import Finding, Fix, Severity

__all__ = ["Checked", "Report", "worst_of"]

_ORDER = (Severity.FAILURE, Severity.WARNING, Severity.OK, Severity.SKIPPED)


def worst_of(severities: Iterable[Severity]) -> Severity:
    """The gravest; ``skipped`` only where nothing else is."""
    return min(severities, key=_ORDER.index, default=Severity.SKIPPED)


@dataclass(frozen=True, slots=True)
class Checked:
    """One check and what it found."""

    check: str
    group: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run found out."""

    checked_at: datetime
    checked: tuple[Checked, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of their checks."""
        return tuple(finding for checked in self.checked for finding in checked.findings)

    @property
    def groups(self) -> dict[str, tuple[Checked, ...]]:
        """The checks by their heading, in the order in which headings first come."""
        groups: dict[str, tuple[Checked, ...]] = {}
        for checked in self.checked:
            groups[checked.group] = (*groups.get(checked.group, ()), checked)
        return groups

    @property
    def failed(self) -> bool:
        """Whether anything is a failure; warnings alone are none."""
        return any(finding.severity is Severity.FAILURE for finding in self.findings)

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What doctor may mend by itself."""
        return tuple(finding.fix for finding in self.findings if finding.fix is not None)

    def count(self, severity: Severity) -> int:
        """How many findings are of that severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """The report as JSON values; docs/doctor.md describes them."""
        counts = Counter(finding.severity for finding in self.findings)
        return {
            "version": __version__,
            "checked_at": self.checked_at.isoformat(),
            "ok": not self.failed,
            "counts": {severity.value: counts[severity] for severity in _ORDER},
            "groups": [_describe_group(name, checks) for name, checks in self.groups.items()],
        }


def _describe_group(name: str, checks: Sequence[Checked]) -> dict[str, Any]:
    findings = [_describe(checked.check, finding) for checked in checks for finding in checked.findings]
    severity = worst_of(finding.severity for checked in checks for finding in checked.findings)
    return {"name": name, "severity": severity.value, "findings": findings}


def _describe(check: str, finding: Finding) -> dict[str, Any]:
    return {
        "check": check,
        "severity": finding.severity.value,
        "title": finding.title,
        "detail": finding.detail,
        "remedy": finding.remedy,
        "command": finding.command,
        "cause": finding.cause or None,
        "docs": f"errors.md#{finding.cause}" if finding.cause else None,
        "gateway_id": finding.gateway_id,
        "fix": None if finding.fix is None else finding.fix.what,
    }
