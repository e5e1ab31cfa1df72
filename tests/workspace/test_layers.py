"""The core's packages lie in layers: each imports from those below it, and each library has its places."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "core" / "src" / "latchpin"

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
