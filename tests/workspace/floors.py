"""The floors: the lowest version of each library that the distributions allow.

    python -m tests.workspace.floors

fails unless exactly these are installed, which is what tox's environment ``floors`` then tests with;

    python -m tests.workspace.floors audit RESULT

asks pip-audit for known holes in them and in what is installed, and says loudly where nobody could be asked. What it
needs to ask is elsewhere. Where that does not answer, pip-audit itself reports that it found nothing.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.servers.programs import say_not_run
from tests.servers.selection import CORE, examples, plugins

__all__ = ["distributions", "find_floors", "floor_of", "imported_by", "judge", "not_exact", "requirements_of"]


def distributions() -> list[Path]:
    """The folders of all distributions of this repository."""
    return [each.folder for each in (CORE, *plugins(), *examples())]


def requirements_of(folder: Path) -> list[Requirement]:
    """What a distribution needs of others, its extras' needs included; not what is in this repository."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    texts = [
        *project.get("dependencies", ()),
        *(text for all_ in project.get("optional-dependencies", {}).values() for text in all_),
    ]
    return [each for each in map(Requirement, texts) if not each.name.startswith("latchpin")]


def floor_of(requirement: Requirement) -> Version | None:
    """The version behind ``>=``; None where there is none, or something else is demanded as well."""
    clauses = list(requirement.specifier)
    return Version(clauses[0].version) if len(clauses) == 1 and clauses[0].operator == ">=" else None


def find_floors() -> dict[str, Version]:
    """Each library's floor; where several distributions need one, the highest, because they are installed together."""
    found: dict[str, Version] = {}
    for requirement in (each for folder in distributions() for each in requirements_of(folder)):
        name, floor = canonicalize_name(requirement.name), floor_of(requirement)
        if floor is not None and (requirement.marker is None or requirement.marker.evaluate()):
            found[name] = max(floor, found.get(name, floor))
    return found


def imported_by(folder: Path) -> set[str]:
    """The top-level modules that a distribution's sources import, wherever in a file they do."""
    return {
        name.partition(".")[0]
        for file in (folder / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _names(node)
    }


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module


def not_exact(floors: dict[str, Version]) -> list[str]:
    """Which libraries are installed in another version than their floor."""
    return [
        f"{name}: {_installed(name)} instead of {floor}" for name, floor in floors.items() if _installed(name) != floor
    ]


def _installed(name: str) -> Version | None:
    try:
        return Version(version(name))
    except PackageNotFoundError:
        return None


# Known holes in them, and in what is installed now.


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


def audit(result: str) -> int:
    """See the module's text; ``result`` is where it says that nobody could be asked."""
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


def compare() -> int:
    """See the module's text."""
    wrong = not_exact(find_floors())
    print("\n".join(wrong) or f"exactly the {len(find_floors())} floors are installed")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[2]) if sys.argv[1:2] == ["audit"] else compare())
