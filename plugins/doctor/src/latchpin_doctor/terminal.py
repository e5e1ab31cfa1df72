"""The report for people: groups with a mark each, and what to do about whatever is not well."""

from __future__ import annotations

import re

from latchpin.contracts import Finding, Severity
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from latchpin_doctor.report import Report, worst_of

__all__ = ["print_report", "summary_of"]

_SETTING = re.compile(r"[A-Z_]+=|https?://")
"""What is not typed at a shell: a line of .env, an address to open."""

_MARKS = {
    Severity.OK: ("\u2713", "ok", "green"),
    Severity.WARNING: ("!", "!", "yellow"),
    Severity.FAILURE: ("\u2717", "x", "red"),
    Severity.SKIPPED: ("\u2013", "-", "dim"),
}


def print_report(report: Report, console: Console) -> None:
    """Print every group with its findings, then how many there are of each kind."""
    for name, checks in report.groups.items():
        findings = [finding for checked in checks for finding in checked.findings]
        console.print(_mark(worst_of(each.severity for each in findings), console), Text(name, style="bold"))
        for finding in findings:
            _print(finding, console)
        console.print()
    console.print(Text(summary_of(report), style="bold"))


def summary_of(report: Report) -> str:
    """How many failures and warnings, in one sentence."""
    counts = [(report.count(Severity.FAILURE), "failure"), (report.count(Severity.WARNING), "warning")]
    found = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    return f"Doctor found {' and '.join(found)}." if found else "Doctor found nothing wrong."


def _print(finding: Finding, console: Console) -> None:
    console.print(Padding(_line(finding, console), (0, 0, 0, 4), expand=False))
    explained = [(finding.detail, "dim"), (finding.remedy, "")]
    for text, style in explained if finding.severity is not Severity.OK else explained[:1]:
        if text:
            console.print(Padding(Text(text, style=style), (0, 0, 0, 6), expand=False))
    if finding.command:
        prompt = "" if _SETTING.match(finding.command) else "$ "
        console.print(
            Padding(Text(f"{prompt}{finding.command}", style="cyan"), (0, 0, 0, 6), expand=False), soft_wrap=True
        )
    if finding.fix is not None:
        console.print(Padding(Text(f"--fix: {finding.fix.what}", style="cyan"), (0, 0, 0, 6), expand=False))


def _line(finding: Finding, console: Console) -> Text:
    return Text.assemble(_mark(finding.severity, console), " ", finding.title)


def _mark(severity: Severity, console: Console) -> Text:
    pretty, plain, style = _MARKS[severity]
    return Text(f"[{pretty if console.encoding.lower().startswith('utf') else plain}]", style=style)
