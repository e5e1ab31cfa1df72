"""Run tox over the whole matrix and add up what passed, failed and was not run.

    python tests/matrix.py [tox arguments, such as -e py311-redis]

The last line is ``N passed, N failed``: tests of all environments together, with one more for each environment
that consists of checks alone (lint, type), and one failure for each environment that failed in any other way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".tox" / "results"
AT_ONCE = str(min((os.cpu_count() or 1) + 3, 5))  # three more than cores: much of the time tests wait for servers


@dataclass
class Outcome:
    """What one environment came to."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    broken: list[str] = field(default_factory=list)


def interpreters() -> list[str]:
    """The folders of pyenv's interpreters that really run, newest first; its shims may not."""
    root = os.environ.get("PYENV_ROOT", "")
    if not root and (pyenv := shutil.which("pyenv")):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
    found = []
    for python in Path(root or os.devnull).glob("versions/3.*/bin/python3"):
        version = "import sys; print(*sys.version_info[:3]) if sys.version_info >= (3, 11) else sys.exit(1)"
        done = subprocess.run([python, "-c", version], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.append((tuple(map(int, done.stdout.split())), str(python.parent)))
    return [folder for _, folder in sorted(found, reverse=True)]


def run_tox(arguments: list[str]) -> int:
    """Run the environments side by side; each one's output is shown when it fails."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    # Of its own version, the Python that `make` chose is taken.
    tools, ours = str(Path(sys.executable).parent), str(Path(sys.base_prefix, "bin"))
    path = os.pathsep.join([tools, ours, *interpreters(), os.environ["PATH"]])
    command = [sys.executable, "-m", "tox", "run-parallel", "--parallel", AT_ONCE, "--parallel-no-spinner"]
    command += ["--result-json", str(RESULTS / "tox.json"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, check=False).returncode


def outcomes() -> list[Outcome]:
    """Read what the environments left behind, in alphabetical order."""
    report = RESULTS / "tox.json"
    environments = json.loads(report.read_text()).get("testenvs", {}) if report.is_file() else {}
    return [_outcome(name, facts["result"]) for name, facts in sorted(environments.items()) if facts.get("result")]


def _outcome(name: str, status: dict[str, Any]) -> Outcome:
    outcome = Outcome(name)
    reason = RESULTS / f"{name}.notrun"
    if status.get("skipped") or reason.is_file():
        why = reason.read_text().strip() if reason.is_file() else "no such interpreter here"
        outcome.note = f"NOT RUN: {why}"
        return outcome
    xml = RESULTS / f"{name}.xml"
    if xml.is_file():
        _count(outcome, xml)
    if not status["success"] and not outcome.failed:
        outcome.failed, outcome.note = 1, "failed outside its tests; see its output above"
    elif not xml.is_file():
        outcome.passed, outcome.note = 1, "checks alone"
    return outcome


def _count(outcome: Outcome, xml: Path) -> None:
    for case in ET.parse(xml).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome.failed += 1
            outcome.broken.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            outcome.skipped += 1
        else:
            outcome.passed += 1


def main(arguments: list[str]) -> int:
    """See the module's text."""
    began = time.monotonic()
    status = run_tox(arguments)
    results = outcomes()
    print(f"\n{'environment':<16}{'passed':>8}{'failed':>8}{'skipped':>9}")
    for each in results:
        print(f"{each.name:<16}{each.passed:>8}{each.failed:>8}{each.skipped:>9}  {each.note}")
        for name in each.broken:
            print(f"    FAILED {name}")
    passed, failed = (sum(getattr(each, kind) for each in results) for kind in ("passed", "failed"))
    if status and not failed:
        failed = 1
        print("tox itself failed; see its output above")
    print(f"in {time.monotonic() - began:.0f} s\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
