"""The core's rooms lie on storeys: each imports from those below it, and each library has the rooms it belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "core" / "src" / "latchpin"

STOREYS = (
    "batching causes env_example model urls",
    "errors",
    "closing settings patience",
    "configuration",
    "contracts",
    "hookspecs",
    "plugin_rules",
    "plugins",
    "oauth",
    "records",
    "audit events observers",
    "services",
    "journal",
    "workers",
    "outbound people",
    "servers clients",
    "tokens",
    "gateways tools",
    "authorization",
    "application",
    "assembly",
    "binding defaults known_settings listening logs plugin_report",
    "serve doctor",
    "web",
    "asgi",
    "commands testing",
    "demo",
    "cli",
    "__main__",
)
"""From the ground up. Rooms of one storey do not import each other."""

ONLY_IN = {
    "pluggy": {"plugins", "hookspecs"},
    "fastapi": {"hookspecs", "plugin_rules", "testing", "web"},
    "starlette": {"web", "demo"},
    "jinja2": {"web", "demo"},
    "aiohttp": {"outbound"},
    "httpx": {"outbound", "demo", "testing"},
    "httpx2": {"outbound"},
    "mcp": {"tools", "demo"},
    "uvicorn": {"listening", "serve", "demo"},
    "typer": {"plugin_rules", "cli", "commands", "demo", "hookspecs"},
    "sqlalchemy": set(),
    "redis": set(),
}
"""Library to the rooms that import it."""

LEVEL = {room: level for level, rooms in enumerate(STOREYS) for room in rooms.split()}


@dataclass(frozen=True)
class Import:
    """One import, for running or for types."""

    file: str
    room: str
    module: str


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        else:
            yield from statements(child)


def imports() -> Iterator[Import]:
    for path in sorted(CORE.rglob("*.py")):
        place = path.relative_to(CORE)
        room = place.parts[0].removesuffix(".py")
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            for module in modules_of(node):
                yield Import(place.as_posix(), room, module)


def modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    module = node.module or ""
    return [f"latchpin.{each.name}" for each in node.names] if module == "latchpin" else [module]


def test_every_room_has_its_storey():
    rooms = {path.relative_to(CORE).parts[0].removesuffix(".py") for path in CORE.rglob("*.py")}
    assert rooms - {"__init__"} == LEVEL.keys()


def test_nothing_is_imported_from_above():
    inside = [each for each in imports() if each.module.startswith("latchpin.") and each.room in LEVEL]
    assert len(inside) > 500
    wrong = []
    for each in inside:
        target = each.module.split(".")[1]
        if target not in {"__version__", each.room} and LEVEL[target] >= LEVEL[each.room]:
            wrong.append(f"{each.file} imports {each.module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str):
    rooms = {each.room for each in imports() if each.module.partition(".")[0] == library}
    assert rooms == ONLY_IN[library]
