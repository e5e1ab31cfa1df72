"""Tells tox.ini of the distributions in ``plugins/`` and ``examples/``, as requirements one a line.

``{env:DISTRIBUTIONS}`` are all of them with their extras, ``{env:BESIDE_STORES}`` those that are no store and need
none, ``{env:SOURCES}`` all of them and the core by their folders. ``{env:EDITABLE}`` is a file of constraints: by it,
the name of a distribution means a wheel that leads to its folder. uv would make such a wheel anew for each environment
and distribution, which takes longer than all the rest of an installation.

What Python compiles of the packages of others is kept once for all environments that have the same version.
"""

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pluggy

ROOT = Path(__file__).resolve().parent
Project = tuple[Path, dict[str, Any]]
"""A folder, and what its ``[project]`` table says."""


def with_extras(name: str, project: dict[str, Any]) -> str:
    """The requirement of what is called ``name``, with each extra of the project."""
    extras = ",".join(project.get("optional-dependencies", ()))
    return f"{name}[{extras}]" if extras else name


def by_name(projects: Iterable[Project]) -> str:
    """Requirements, one a line."""
    return "\n".join(with_extras(project["name"], project) for _, project in projects)


def by_folder(projects: Iterable[Project]) -> str:
    """Requirements, one a line, whose dependencies count as ours: ``floors`` takes the lowest of those."""
    return "\n".join(with_extras(f"-e ./{folder.relative_to(ROOT)}", project) for folder, project in projects)


def needs_store(project: dict[str, Any]) -> bool:
    """Whether a distribution is a store, or needs a certain one."""
    return any("-store" in each for each in (project["name"], *project["dependencies"]))


def make_editable(projects: Iterable[Project], folder: Path) -> None:
    """Put a wheel for each project, and the constraints that name them, into a folder that is not there yet."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415  may be missing

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        lines = []
        for source, project in projects:
            (wheel,) = WheelBuilder(str(source)).build(directory=made, versions=["editable"])
            lines.append(f"{project['name']} @ {(folder / Path(wheel).name).as_uri()}\n")
        Path(made, "constraints.txt").write_text("".join(lines), encoding="utf-8")
        with suppress(FileExistsError):  # another tox was faster
            Path(made).rename(folder)
            Path(made).mkdir()


def editable(projects: Iterable[Project]) -> Path:
    """The constraints for the projects as they are now: after a change, tox sees another file."""
    projects = list(projects)
    state = hashlib.sha256(str(ROOT).encode())
    for folder, _ in projects:
        state.update((folder / "pyproject.toml").read_bytes())
    found = ROOT / ".tox" / "editable" / state.hexdigest()[:12]
    if not found.exists():
        with suppress(ModuleNotFoundError):  # tox.ini requires what it takes: tox then runs again where that is
            make_editable(projects, found)
    return found / "constraints.txt"


def read(path: Path) -> Project:
    """One ``pyproject.toml``."""
    return path.parent, tomllib.loads(path.read_text(encoding="utf-8"))["project"]


@pluggy.HookimplMarker("tox")
def tox_before_run_commands(tox_env: Any) -> None:  # noqa: ANN401  what tox has, which tests of this file do not
    """Let what is compiled in an environment serve in the others."""
    share_compiled(tox_env.env_site_package_dir(), ROOT / ".tox" / "bytecode")


def share_compiled(site_packages: Path, compiled: Path) -> None:
    """Make one folder for what is compiled of each version of a package, from wherever it is imported.

    A file counts as compiled by its time and size: an environment takes part with what uv has linked from its cache,
    as linked files have one time.

    Args:
        site_packages: of an environment.
        compiled: where PYTHONPYCACHEPREFIX leads.
    """
    ours = Path(f"{compiled}{site_packages}")
    for record in site_packages.glob("*.dist-info/RECORD"):
        for package in {line.partition("/")[0] for line in record.read_text(encoding="utf-8").splitlines()}:
            first = site_packages / package / "__init__.py"
            if first.is_file() and first.stat().st_nlink > 1:
                link_to(ours / package, compiled / "packages" / record.parent.stem / package)


def link_to(link: Path, folder: Path) -> None:
    """Let ``link`` lead to ``folder``, unless it is a folder itself."""
    folder.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.symlink_to(folder)


CORE = read(ROOT / "core" / "pyproject.toml")
OTHERS = [read(path) for part in ("plugins", "examples") for path in sorted(ROOT.glob(f"{part}/*/pyproject.toml"))]
os.environ["DISTRIBUTIONS"] = by_name(OTHERS)
os.environ["BESIDE_STORES"] = by_name(each for each in OTHERS if not needs_store(each[1]))
os.environ["SOURCES"] = by_folder([CORE, *OTHERS])
os.environ["EDITABLE"] = str(editable([CORE, *OTHERS]))
