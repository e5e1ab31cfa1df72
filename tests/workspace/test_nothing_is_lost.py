"""Rules for what is tried several times, and for what is begun in the background."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("core/src", "plugins") for path in (ROOT / folder).rglob("*.py"))
ASKS_ONLY = {
    "core/src/latchpin/authorization/step_up.py",
    "core/src/latchpin/identity/jwks.py",
    "core/src/latchpin/servers/directory.py",
    "core/src/latchpin/workers/pauses.py",
    "plugins/oidc_login/src/latchpin_oidc_login/discovery.py",
    "plugins/policy/src/latchpin_policy/book.py",
    "plugins/policy/src/latchpin_policy/pins.py",
}
"""They share tasks that only read: whatever is lost of them is asked again."""


def blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def tries(node: ast.stmt) -> bool:
    """Whether it is a loop over a limited number of tries, left by ``return`` once one succeeds."""
    if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
        return False
    (first, *_) = [*node.iter.args, ast.Constant(None)]
    limited = ast.unparse(node.iter.func) == "range" and re.fullmatch(r"_?[A-Z_]*(ATTEMPTS|TRIES)", ast.unparse(first))
    return bool(limited) and any(isinstance(each, ast.Return) for each in ast.walk(node))


def gives_up_silently(source: str) -> list[int]:
    """The lines of loops after whose last try nothing is said."""
    return [
        node.lineno
        for block in blocks(ast.parse(source))
        for node, after in zip(block, [*block[1:], None], strict=False)
        if tries(node) and after is None
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_whoever_gives_up_says_so(path: Path):
    assert gives_up_silently(path.read_text(encoding="utf-8")) == []


def test_a_silent_loop_is_seen():
    loop = "for _ in range(_ATTEMPTS):\n    if put():\n        return\n"
    assert gives_up_silently(loop) == [1]
    assert gives_up_silently(loop + "raise RecordConflict\n") == []


def shared_tasks() -> list[tuple[str, str, str]]:
    found = []
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        found += [(name, each, source) for each in re.findall(r"self\.(\w+)(?:: [^=\n]+)? = SharedTasks\(\)", source)]
    return found


def test_what_is_begun_for_several_is_waited_for_at_the_end():
    lost = [f"{name}: {each}" for name, each, source in shared_tasks() if f"self.{each}.close()" not in source]
    assert {entry.partition(":")[0] for entry in lost} == ASKS_ONLY
