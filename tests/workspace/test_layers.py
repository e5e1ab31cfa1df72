"""The core's packages lie in layers: each imports from those below it, and each library has its places.

No distribution has modules that import each other in a circle, not for types either.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "src" / "latchpin"
FOLDERS = (CORE, *ROOT.glob("plugins/*/src/*"), *ROOT.glob("examples/*/src/*"))
DISTRIBUTIONS = sorted(path for path in FOLDERS if path.is_dir())

LAYERS = (
    "lazily",
    "errors mcp model",
    "contracts settings",
    "oauth plugins records",
    "workers",
    "activity clients",
    "outbound services",
    "identity servers",
    "assembly tokens",
    "defaults gateways",
    "authorization",
    "application",
    "serving",
    "web",
    "asgi commands",
    "__main__ sdk",
)
"""From the ground up. Packages of one layer do not import each other."""

ONLY_IN = {
    "pluggy": {"plugins"},
    "fastapi": {"plugins", "web"},
    "starlette": {"web"},
    "jinja2": {"web"},
    "aiohttp": {"outbound"},
    "httpx": {"outbound"},
    "httpx2": {"outbound"},
    "mcp": {"gateways"},
    "uvicorn": {"serving"},
    "typer": {"commands"},
    "sqlalchemy": set(),
    "redis": set(),
}
"""Library to the packages that import it."""

LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages.split()}


@dataclass(frozen=True)
class Import:
    """One import, for running or for types."""

    file: str
    package: str
    module: str


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        else:
            yield from statements(child)


@functools.cache
def imports() -> list[Import]:
    found = []
    for path in sorted(CORE.rglob("*.py")):
        place = path.relative_to(CORE)
        package = place.parts[0].removesuffix(".py")
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            found += [Import(place.as_posix(), package, module) for module in modules_of(node)]
    return found


def modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    module = node.module or ""
    return [f"latchpin.{each.name}" for each in node.names] if module == "latchpin" else [module]


def test_every_package_has_its_layer():
    packages = {path.relative_to(CORE).parts[0].removesuffix(".py") for path in CORE.rglob("*.py")}
    assert packages - {"__init__"} == LEVEL.keys()


def test_nothing_is_imported_from_above():
    inside = [each for each in imports() if each.module.startswith("latchpin.") and each.package in LEVEL]
    assert len(inside) > 500
    wrong = []
    for each in inside:
        target = each.module.split(".")[1]
        if target not in {"__version__", each.package} and LEVEL[target] >= LEVEL[each.package]:
            wrong.append(f"{each.file} imports {each.module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str):
    packages = {each.package for each in imports() if each.module.partition(".")[0] == library}
    assert packages == ONLY_IN[library]


def module_imports(folder: Path) -> dict[str, set[str]]:
    """Each module of a distribution, with the others of it that it imports."""
    prefix = folder.parent
    files = {".".join(path.relative_to(prefix).with_suffix("").parts): path for path in folder.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        named = set[str]()
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named.update(each.name for each in node.names)
            else:
                assert not node.level, f"{path} imports relatively"
                module = node.module or ""
                inner = {f"{module}.{each.name}" for each in node.names}
                named.update((inner & modules.keys()) or {module})
        found[name] = (named & modules.keys()) - {name}
    return found


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_no_modules_import_each_other_in_a_circle(folder: Path):
    graph = module_imports(folder)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
