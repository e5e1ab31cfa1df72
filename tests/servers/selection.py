"""Which tests belong to a run: its backends, the installed distributions, and the proof that both were used."""

from __future__ import annotations

import ast
import functools
import importlib.util
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The distributions of this repository, as their folders say: whoever adds a folder adds them everywhere.


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


# What makes a gateway run on each backend, and how to tell afterwards that it really did.


BACKENDS = ("memory", "sqlite", "postgres", "redis")

DISTRIBUTIONS: Mapping[str, str] = {
    "memory": "latchpin_memory_store",
    "sqlite": "latchpin_sql_store",
    "postgres": "latchpin_sql_store",
    "redis": "latchpin_redis_store",
}
"""The import name of the plugin that each backend needs."""


@dataclass(frozen=True, slots=True)
class GatewayBackend:
    """One backend for one test: empty, and this test's alone.

    Attributes:
        name: one of ``BACKENDS``.
        environment: CACHE_TYPE, RECORD_STORE and, where it has one, the store's URL.
        shared: whether several processes see the same data.
        label: how the gateway's log names it, as in "Stored OAuth state in Redis".
    """

    name: str
    environment: Mapping[str, str]
    shared: bool
    label: str


# Which tests belong to a run: the chosen backends, the installed distributions, the proof that both were used.
#
# One run of the matrix ("cell") installs some of the distributions and names some backends. A test outside it is
# deselected or its file is not collected; nothing is skipped. A backend that was named and is not installed, or
# that no passing test really opened, fails the run.


OPTIONAL = frozenset(
    {
        *(each.package for each in (*plugins(), *examples())),
        "alembic",
        "fastmcp",
        "prometheus_client",
        "psycopg",
        "redis",
        "sqlalchemy",
    }
)
"""What a test file may import at its top although not every cell has it installed."""

SEPARATE = frozenset(
    {
        "api",
        "bare",
        "browser",
        "conformance",
        "contextforge",
        "deploy",
        "docs",
        "failover",
        "kms",
        "mariadb",
        "node",
        "packaging",
        "pgbouncer",
        "workspace",
    }
)
"""Folders of tests that run only when they are named on the command line: each has an environment of its own."""

INSTALLING = frozenset({"conformance", "node", "packaging", "workspace"})
"""Those whose tests install from package indexes, over TLS."""

# The demo's servers and browser are among them without being installed: pytest's ``pythonpath`` has their folder.
_IN_EVERY_CELL = frozenset({each.package for each in plugins()} - set(DISTRIBUTIONS.values()) | {"prometheus_client"})
_SQL = frozenset({DISTRIBUTIONS["sqlite"], "alembic", "psycopg", "sqlalchemy"})
_IN_CELL = {
    "memory": frozenset({DISTRIBUTIONS["memory"]}),
    "sqlite": _SQL,
    "postgres": _SQL,
    "redis": frozenset({DISTRIBUTIONS["redis"], "redis"}),
}
"""What tox.ini installs in the cell of each single backend."""

_FIXTURES = {
    "postgres": "postgres",
    "database_url": "postgres",
    "redis_server": "redis",
    "redis_url": "redis",
    "sqlite_url": "sqlite",
}


def parse_backends(text: str) -> tuple[str, ...]:
    """Read ``memory,sqlite``; empty means all.

    Raises:
        ValueError: a name is unknown, or its plugin is not installed.
    """
    chosen = tuple(name.strip() for name in text.split(",") if name.strip()) or BACKENDS
    for name in chosen:
        if name not in BACKENDS:
            raise ValueError(f"unknown backend {name!r}; there are: {', '.join(BACKENDS)}")
        if not _installed(DISTRIBUTIONS[name]):
            raise ValueError(f"backend {name} needs {DISTRIBUTIONS[name]}, which is not installed; see --backends")
    return chosen


PLUGIN_FOLDERS = frozenset({"dcr", "memory_store", "redis_store", "sql_store"})
"""Folders of tests of one plugin each; every cell that has the plugin runs them."""


def backends_of(fixtures: Iterable[str]) -> set[str]:
    """The backends that a test is about, judged by the fixtures it asks for."""
    return {_FIXTURES[name] for name in fixtures if name in _FIXTURES}


def runs_alone(backends: Iterable[str], needed: Iterable[str]) -> bool:
    """Whether the cell of a single backend runs a test about ``backends`` that needs these packages."""
    about = set(backends)
    return len(about) == 1 and set(needed) <= _IN_EVERY_CELL | _IN_CELL[about.pop()]


THIRDS = ("first", "second", "third")


def in_third(path: Path, third: str | None, tests: Path) -> bool:
    """Whether a test file is in this third: every third one by name, so that each takes about as long."""
    return third is None or _numbered(tests)[path] % len(THIRDS) == THIRDS.index(third)


@functools.cache
def _numbered(tests: Path) -> Mapping[Path, int]:
    return {path: number for number, path in enumerate(sorted(tests.rglob("test_*.py")))}


@functools.cache
def needed_by(path: Path, root: Path) -> set[str]:
    """The optional packages that a test file needs, its folders' ``conftest.py`` included."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root / "tests") and folder != root / "tests"]
    files = [path, *(conftest for folder in folders if (conftest := folder / "conftest.py").is_file())]
    return {name for file in files for name in _needs(file, root)}


def missing_imports(path: Path, root: Path) -> set[str]:
    """Which of the optional packages that ``path`` needs are not installed.

    What is needed: the imports at its top, its own or by way of ``tests.*``, and what a line such as
    ``NEEDS = ("latchpin_memory_store",)`` says. A folder needs what its ``conftest.py`` needs.
    """
    path = path / "conftest.py" if path.is_dir() else path
    if path.suffix != ".py" or not path.is_file():
        return set()
    return {name for name in _needs(path, root) if not _installed(name)}


@functools.cache
def _needs(path: Path, root: Path) -> frozenset[str]:
    """The optional packages among the imports at the top of a file; files of ours are followed."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path)).body
    for name in _named(tree) + _imports(tree):
        top = name.partition(".")[0]
        if top in OPTIONAL:
            found.add(top)
        elif top == "tests" and name not in {"tests", "tests.servers"}:
            base = root / name.replace(".", "/")
            for inner in (base.with_suffix(".py"), base / "__init__.py"):
                if inner.is_file() and inner != path:
                    found |= _needs(inner, root)
    return frozenset(found)


def _named(tree: list[ast.stmt]) -> list[str]:
    values = [
        node.value
        for node in tree
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "NEEDS"
    ]
    return [name for value in values for name in ast.literal_eval(value)]


def _imports(tree: list[ast.stmt]) -> list[str]:
    names: list[str] = []
    for node in tree:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@functools.cache
def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


class Cell:
    """One run: the backends it is about, and how many passing tests really used each.

    Attributes:
        backends: their names.
        counts: tests in which each was seen at work.
    """

    def __init__(self, backends: Sequence[str]) -> None:
        self.backends = tuple(backends)
        self.counts: Counter[str] = Counter()

    @property
    def whole(self) -> bool:
        """Whether it is about every backend, so that nothing may be left out."""
        return set(self.backends) == set(BACKENDS)

    def complaints(self, minimum: int) -> list[str]:
        """What must fail the run: each backend that fewer than ``minimum`` tests used."""
        return [
            f"backend {name}: {self.counts[name]} tests really used it, this run demands {minimum}"
            for name in self.backends
            if self.counts[name] < minimum
        ]
