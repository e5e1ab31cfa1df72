"""Messages at random, as the TypeScript SDK reads them too."""

from __future__ import annotations

from pathlib import Path

from tests.messages.fuzz import Case, cases, compare, read_in_typescript
from tests.servers.programs import Node


def test_no_message_is_judged_differently(node: Node, packages: Path):
    asked = [*cases(seed=2, count=4_000)]
    typescript = read_in_typescript(node, packages, asked)
    assert sum(reading is not None for reading in typescript) > 2_000
    assert compare(asked, typescript).wrong == []


def test_the_typescript_sdk_counts(node: Node, packages: Path):
    """It takes one number for another: ids of that kind are refused."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    case = Case(body, [("content-type", "application/json")], plain=True)
    other = Case(body.replace(b"ping", b"pong"), case.headers, plain=True)
    (reading,) = read_in_typescript(node, packages, [other])
    assert [name for name, _ in compare([case], [reading]).wrong] == ["the TypeScript SDK"]
