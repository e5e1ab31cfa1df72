"""The distributions of this repository, as their folders say: whoever adds a folder adds them everywhere."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CORE", "ROOT", "Distribution", "examples", "plugins"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Distribution:
    """One folder with a ``pyproject.toml``.

    Attributes:
        folder: where it is.
        project: what its ``[project]`` table says.
    """

    folder: Path
    project: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What pip calls it."""
        return str(self.project["name"])

    @property
    def package(self) -> str:
        """What Python imports."""
        (package,) = (self.folder / "src").glob("*/__init__.py")
        return package.parent.name

    @property
    def entry_points(self) -> Mapping[str, str]:
        """Its modules that are plugins, by the names of their entry points."""
        points: Mapping[str, str] = self.project.get("entry-points", {}).get("latchpin", {})
        return points


def _read(folder: Path) -> Distribution:
    return Distribution(folder, tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def _below(name: str) -> tuple[Distribution, ...]:
    return tuple(_read(path.parent) for path in sorted((ROOT / name).glob("*/pyproject.toml")))


@functools.cache
def plugins() -> tuple[Distribution, ...]:
    """What can be installed beside the core."""
    return _below("plugins")


@functools.cache
def examples() -> tuple[Distribution, ...]:
    """What stands for the work of others."""
    return _below("examples")


CORE = _read(ROOT / "core")
