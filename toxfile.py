"""Tells tox.ini of the distributions in ``plugins/`` and ``examples/``, as requirements one a line.

``{env:DISTRIBUTIONS}`` are all of them, ``{env:BESIDE_STORES}`` those that are no store and need none.
"""

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


def editable(folder: Path, project: dict[str, Any]) -> str:
    """The requirement that installs a distribution from its folder, with each of its extras."""
    extras = ",".join(project.get("optional-dependencies", ()))
    return f"-e ./{folder.relative_to(ROOT)}" + (f"[{extras}]" if extras else "")


def needs_store(project: dict[str, Any]) -> bool:
    """Whether a distribution is a store, or needs a certain one."""
    return any("-store" in each for each in (project["name"], *project["dependencies"]))


def requirements(projects: Iterable[tuple[Path, dict[str, Any]]]) -> str:
    """Requirements, one a line."""
    return "\n".join(editable(folder, project) for folder, project in projects)


FILES = sorted(path for part in ("plugins", "examples") for path in ROOT.glob(f"{part}/*/pyproject.toml"))
PROJECTS = [(path.parent, tomllib.loads(path.read_text(encoding="utf-8"))["project"]) for path in FILES]
os.environ["DISTRIBUTIONS"] = requirements(PROJECTS)
os.environ["BESIDE_STORES"] = requirements(each for each in PROJECTS if not needs_store(each[1]))
