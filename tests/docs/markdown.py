"""Reads Markdown as far as the checks need it: headings with their anchors, links, tables and code blocks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "Page", "pages", "parse", "read", "slug"]

ROOT = Path(__file__).resolve().parents[2]
RUN_MARK = "<!-- run -->"
_FROM_MARK = re.compile(r"^<!-- from: (\S+) -->$")

_FENCE = re.compile(r"^(```+)(\w*)")
_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        runnable: the line before it says that it can be run.
        source: the file that it is an excerpt of, if the line before it names one.
    """

    language: str
    text: str
    runnable: bool
    source: str | None
    line: int


@dataclass(frozen=True)
class Page:
    """One Markdown file, taken apart."""

    path: Path
    text: str
    prose: list[str]
    blocks: list[Block]

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading, in order."""
        return [(len(match[1]), match[2]) for line in self.prose if (match := _HEADING.match(line))]

    @property
    def anchors(self) -> list[str]:
        """What each heading is linked by."""
        return [slug(text) for _, text in self.headings]

    @property
    def links(self) -> list[str]:
        """Every link's and image's target, in order; code is not looked at."""
        return [target for line in self.prose for target in _LINK.findall(re.sub(r"`[^`]*`", "", line))]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every table row, heads and rules left out."""
        found: list[list[str]] = []
        for line in self.prose:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
                rule = all(set(cell) <= set(":-") for cell in cells)
                found = found[:-1] if rule else [*found, cells]  # the line above a rule is the head
        return found

    def section(self, heading: str) -> str:
        """The prose from a heading to the next one of any level; empty if there is no such heading."""
        lines: list[str] = []
        inside = False
        for line in self.prose:
            if match := _HEADING.match(line):
                inside = match[2] == heading
            elif inside:
                lines.append(line)
        return "\n".join(lines)


def read(path: Path) -> Page:
    """Read a file."""
    return parse(path.read_text(encoding="utf-8"), path)


def parse(text: str, path: Path = ROOT / "docs" / "example.md") -> Page:
    """Take a text apart."""
    prose: list[str] = []
    blocks: list[Block] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if fence := _FENCE.match(line):
            before = prose[-1].strip() if prose else ""
            source = _FROM_MARK.match(before)
            text_inside = _until(lines, fence[1])
            blocks.append(Block(fence[2], text_inside, before == RUN_MARK, source and source[1], number))
        else:
            prose.append(line)
    return Page(path, text, prose, blocks)


def pages() -> list[Page]:
    """Every page that people read: the root's, the site's, and each distribution's."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "core/README.md"]
    paths += [*ROOT.glob("plugins/*/README.md"), *ROOT.glob("examples/*/README.md")]
    return [read(path) for path in sorted(paths)]


def slug(heading: str) -> str:
    """The anchor that MkDocs gives a heading (Python-Markdown's rule)."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def _until(lines: Iterator[tuple[int, str]], fence: str) -> str:
    found: list[str] = []
    for _, line in lines:
        if line.strip() == fence:
            break
        found.append(line)
    return "\n".join(found) + "\n"
