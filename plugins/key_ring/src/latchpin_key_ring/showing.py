"""The report on keys as people read it: two tables, and a sentence for each key where something is to be done."""

from __future__ import annotations

import sys
from datetime import datetime

from latchpin.sdk.commands import print_table, say

from latchpin_key_ring.reporting import KeyReport, Report, total

__all__ = ["show_report"]


def show_report(report: Report, *, usable: bool = True) -> None:
    """Print it.

    Args:
        report: on all keys.
        usable: whether the ring can be used; what cannot is not said to be at its end.
    """
    now = datetime.now().astimezone()
    rows = [
        (
            _name(key),
            key.where,
            key.state,
            _since(key, now),
            f"{total(key.rows):,}",
            f"{total(key.signed):,}",
        )
        for key in report.keys
    ]
    print_table(("KEY", "WHERE", "STATE", "SINCE", "SEALED ROWS", "SIGNED ROWS"), rows, ids=("KEY",))
    sys.stdout.write("\n")
    print_table(("TABLE", "KEY", "ROWS"), [*_by_table(report)], ids=("KEY",))
    if report.resealing is not None:
        say(f"Another process is sealing everything anew; it has done {report.resealing:,} rows.")
    for key in report.keys:
        if key.verdict:
            say(f"{_name(key)} ({key.where}): {key.verdict}")
    if usable and not report.to_reseal:
        say("Everything is sealed under today's key.")


def _by_table(report: Report) -> list[tuple[str, str, str]]:
    found = []
    for table, rows in report.tables.items():
        under = [
            (_name(key), count) for key in report.keys if (count := key.rows.get(table, 0) + key.signed.get(table, 0))
        ]
        found += [(table, name, f"{count:,}") for name, count in under] or [(table, "-", f"{rows:,}")]
    return found


def _name(key: KeyReport) -> str:
    return key.id or "(not named)"


def _since(key: KeyReport, now: datetime) -> str:
    if key.since is None:
        return "-"
    days = (now - key.since).days
    return f"{key.since:%Y-%m-%d %H:%M} UTC ({'today' if not days else '1 day' if days == 1 else f'{days} days'})"
