"""Bring every cause about on every store, and write docs/causes.md from what was named: ``python -m tests.causes``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.causes.page import PAGE, ROWS, cells, render
from tests.docs.markdown import ROOT


def main() -> int:
    """Write the page; the exit status is the tests'."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "tests/causes/test_causes.py", f"--junit-xml={report}"]
        status = subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=False).returncode
        passed = {
            str(case.get("name"))
            for case in ET.parse(report).iter("testcase")
            if not {child.tag for child in case} & {"failure", "error", "skipped"}
        }
    named = {(store, name) for store, name in cells(ROWS) if any(f"[{store}-{name}]" in each for each in passed)}
    PAGE.write_text(render(ROWS, named), encoding="utf-8")
    sys.stdout.write(f"{len(named)} of {len(cells(ROWS))} named correctly; see {PAGE.relative_to(ROOT)}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
