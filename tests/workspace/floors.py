"""The floors: the lowest version of each library that the distributions allow.

    python -m tests.workspace.floors

fails unless exactly these are installed, which is what tox's environment ``floors`` then tests with.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

__all__ = ["distributions", "find_floors", "floor_of", "imported_by", "not_exact", "requirements_of"]

from tests.servers.selection import CORE, examples, plugins


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


if __name__ == "__main__":
    wrong = not_exact(find_floors())
    print("\n".join(wrong) or f"exactly the {len(find_floors())} floors are installed")  # noqa: T201
    sys.exit(1 if wrong else 0)
