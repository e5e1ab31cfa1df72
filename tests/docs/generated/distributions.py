"""What can be installed, from what each distribution says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from tests.servers.selection import CORE, ROOT, plugins

__all__ = ["distributions"]


def distributions() -> Iterator[str]:
    """A row for each."""
    yield from ("| distribution | folder | what it is |", "|---|---|---|")
    for each in (CORE, *plugins()):
        yield f"| `{each.name}` | `{each.folder.relative_to(ROOT)}/` | {each.project['description']} |"
