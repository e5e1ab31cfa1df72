"""Ask pip-audit for known holes, in the floors and in what is installed; say loudly where nobody could be asked.

    python -m tests.workspace.audit RESULT

What it needs to ask is elsewhere. Where that does not answer, pip-audit itself reports that it found nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

from tests.servers.programs import say_not_run
from tests.workspace.floors import find_floors

__all__ = ["judge", "main"]

LONGEST = 120
"""Seconds for each of the two questions."""


def judge(report: dict[str, Any], wanted: set[str]) -> tuple[list[str], str | None]:
    """The known holes of a report of pip-audit, and why it proves nothing: None if it knows of all ``wanted``."""
    known = {each["name"]: each for each in report["dependencies"] if "vulns" in each}
    holes = [
        f"{name} {each['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for name, each in sorted(known.items())
        for hole in each["vulns"]
    ]
    unknown = sorted(wanted - set(known))
    named = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if unknown[3:] else "")
    return holes, f"pip-audit's data could not be had about {named}" if unknown else None


def ask(*arguments: str) -> dict[str, Any] | None:
    """One run of pip-audit; None where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def main(result: str) -> int:
    """See the module's text."""
    floors = find_floors()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={floor}\n" for name, floor in floors.items()))
        file.flush()
        reports = [ask("--no-deps", "--disable-pip", "--requirement", file.name), ask("--skip-editable")]
    found: list[str] = []
    for report in reports:
        holes, reason = ([], "pip-audit's data cannot be reached") if report is None else judge(report, set(floors))
        found += holes
        if reason is not None and not found:
            say_not_run(result, "pip-audit", reason)
            return 0
    print("\n".join(found) or "no known holes")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
