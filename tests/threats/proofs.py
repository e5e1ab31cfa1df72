"""Pointers to tests elsewhere that prove a defence: they must exist under the name that is written here."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["proven_by"]

_ROOT = Path(__file__).parents[2]


def proven_by(file: str, *names: str) -> None:
    """Assert that ``tests/<file>`` has each of these tests."""
    path = _ROOT / "tests" / file
    assert path.is_file(), f"{path} is gone"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert [name for name in names if name not in tests] == [], f"no such tests in {path}"
    assert all(name.startswith("test_") for name in names)
