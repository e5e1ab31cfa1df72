"""What others wrote, as it may be shown: in one line, without characters that cannot be seen. Pure."""

from __future__ import annotations

__all__ = ["one_line"]


def one_line(text: str) -> str:
    """The words of a text with one blank between them; what cannot be printed is a blank too."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
