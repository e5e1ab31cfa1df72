"""How nginx's configuration is written: its blocks and words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["APART", "block", "indented", "quoted"]

APART = r"\n"
"""Between values that stand in one word: none can have it in it."""


def block(head: str, lines: Iterable[str]) -> Iterator[str]:
    """A directive with others in it."""
    yield f"{head} {{"
    yield from indented(lines)
    yield "}"


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Lines as they stand in a block."""
    return (f"  {line}" for line in lines)


def quoted(text: str) -> str:
    """A word in quotes. Outside of a pattern (``~``), a ``$`` would begin a variable, so none comes this far.

    Raises:
        ValueError: there is one, or a control character.
    """
    if not text.isprintable() or ("$" in text and not text.startswith("~")):
        raise ValueError("a text cannot be written into a configuration")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
