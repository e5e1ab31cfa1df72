"""Tells tox.ini of every distribution in ``plugins/`` and ``examples/``, as ``{env:DISTRIBUTIONS}``."""

import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent


def editable(folder: Path) -> str:
    """The requirement that installs a distribution from its folder, with each of its extras."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = ",".join(project.get("optional-dependencies", ()))
    return f"-e ./{folder.relative_to(ROOT)}" + (f"[{extras}]" if extras else "")


FOLDERS = sorted(path.parent for part in ("plugins", "examples") for path in ROOT.glob(f"{part}/*/pyproject.toml"))
os.environ["DISTRIBUTIONS"] = "\n".join(map(editable, FOLDERS))
