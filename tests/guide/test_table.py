"""Everything in the table of the guide's commands is run by a test."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.guide.commands import entries


def used_names() -> set[str]:
    found: set[str] = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "guide":
                found.add(node.attr)
    return found


def test_every_entry_but_package_installs_and_service_managers_is_used_by_a_test():
    table = entries()
    used = used_names()
    assert len(table) > 50
    assert {name for name, entry in table.items() if not entry.outside} - used == set()
    assert used <= set(table) | {"Entry"}
    assert {name for name, entry in table.items() if entry.outside} == {"INSTALL_REDIS", "START_REDIS"}
