"""Reads the documentation's Markdown, and checks what it names against the code."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latchpin.errors.causes import Cause

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


# What a page lacks or makes up, as sentences; an empty list means that it is right.


_VARIABLE = re.compile(r"`([A-Z][A-Z_0-9]+)`")
_ENDPOINT = re.compile(r"(?:GET|OPTIONS|POST|PUT|DELETE|PATCH) /[\w/{}.-]*")
_SHELL_LANGUAGES = {"bash", "sh", "shell"}
_NOT_SETTINGS = {"TOKEN", "GATEWAY", "STATE", "PATH", "ARGS", "ACME_FOLDER"}
"""Variables that the examples use and that are no settings of ours."""
_OUTSIDE = ("https://keepachangelog.com/", "http://localhost:4444")


def about_settings(page: Page, defaults: Mapping[str, str]) -> list[str]:
    """Each variable has one row with its default, what is allowed and what it is for; no row is made up."""
    rows = [row for row in page.rows if len(row) == 4 and _VARIABLE.fullmatch(row[0])]
    shown = {row[0].strip("`"): row for row in rows}
    wrong = [f"{name} is missing" for name in defaults if name not in shown]
    wrong += [f"{name} is no setting" for name in shown if name not in defaults]
    wrong += [f"{row[0]} has several rows" for row in rows if row is not shown[row[0].strip("`")]]
    for name, (_, default, allowed, purpose) in shown.items():
        right = f"`{defaults[name]}`" if defaults.get(name) else "empty"
        if name in defaults and default != right:
            wrong.append(f"{name}: the default is {right}, the page says {default}")
        if not allowed or not purpose:
            wrong.append(f"{name}: what is allowed, or what it is for, is not said")
    return wrong


def about_hooks(page: Page, hooks: Sequence[str]) -> list[str]:
    """Each hook has a heading and text, in their order; no hook is made up."""
    shown = [text for _, text in page.headings if text.startswith("latchpin_")]
    wrong = [f"{name} is missing" for name in hooks if name not in shown]
    wrong += [f"{name} is no hook" for name in shown if name not in hooks]
    if not wrong and shown != list(hooks):
        wrong.append(f"the order differs: {shown}")
    return wrong + [f"{name} has no text" for name in shown if not page.section(name).strip()]


def about_errors(page: Page, causes: Mapping[str, Cause]) -> list[str]:
    """Each code is a heading, so that it can be linked to, above its status, public text and remedy."""
    shown = [text for level, text in page.headings if level == 3]
    wrong = [f"{code} is missing" for code in causes if code not in shown]
    wrong += [f"{code} is no error code" for code in shown if code not in causes]
    wrong += [f"{code} cannot be linked to" for code in shown if code not in page.anchors]
    for code in set(shown) & causes.keys():
        section, cause = page.section(code), causes[code]
        status = "stops the start" if cause.stops else cause.status
        wrong += [
            f"{code}: {text!r} is missing"
            for text in (f"**{status}**, fault of {cause.fault}: {cause.public}", f"Remedy: {cause.remedy}")
            if text not in section
        ]
    return wrong


def about_commands(page: Page, commands: Mapping[str, Collection[str]]) -> list[str]:
    """Each command has one row that names its options; no command is made up."""
    shown = {row[0].strip("`"): " ".join(row[1:]) for row in page.rows if row[0].startswith("`latchpin ")}
    wrong = [f"{name} is missing" for name in commands if name not in shown]
    wrong += [f"{name} is no command" for name in shown if name not in commands]
    for name, text in shown.items():
        options = set(commands.get(name, ()))
        named = set(re.findall(r"--[\w-]+", text))
        wrong += [f"{name} has {option}, which is missing" for option in options - named]
        wrong += [f"{name} has no {option}" for option in named - options]
    return wrong


def about_endpoints(page: Page, endpoints: Collection[str]) -> list[str]:
    """Each endpoint is a heading or stands in the table of pages; none is made up."""
    headings = {text for _, text in page.headings if _ENDPOINT.fullmatch(text)}
    shown = headings | {name for row in page.rows for name in re.findall(rf"`({_ENDPOINT.pattern})`", row[0])}
    wrong = [f"{name} is missing" for name in endpoints if name not in shown]
    return wrong + [f"{name} is no endpoint" for name in shown if name not in endpoints]


def about_links(page: Page) -> list[str]:
    """Every link leads to a file that is there and a heading that it has."""
    wrong = []
    for link in page.links:
        target, _, anchor = link.partition("#")
        if "://" in target:
            if not link.startswith(_OUTSIDE):
                wrong.append(f"{link}: nobody checks whether that is there")
            continue
        path = (page.path.parent / target).resolve() if target else page.path
        if path != page.path and not path.is_file():
            wrong.append(f"{link}: there is no such file")
        elif anchor and anchor not in (page if path == page.path else read(path)).anchors:
            wrong.append(f"{link}: there is no such heading")
    wrong += [f"two headings are linked by #{name}" for name in {*page.anchors} if page.anchors.count(name) > 1]
    return wrong


def about_excerpts(page: Page) -> list[str]:
    """What is shown as a file's own lines is in that file."""
    return [
        f"line {block.line}: not in {block.source}"
        for block in page.blocks
        if block.source is not None and block.text not in (ROOT / block.source).read_text(encoding="utf-8")
    ]


def about_shell(
    page: Page, commands: Mapping[str, Collection[str]], settings: Collection[str], makefile: Path
) -> list[str]:
    """Shell blocks call commands, options and make targets that exist, and set variables that are read."""
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile.read_text(encoding="utf-8")))
    wrong = []
    for block in page.blocks:
        if block.language not in _SHELL_LANGUAGES:
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        names = re.findall(r"(?m)(?:^|\bexport )([A-Z][A-Z_]+)=", block.text)
        wrong += [f"{name} is no setting" for name in names if name not in {*settings, *_NOT_SETTINGS}]
        wrong += [f"make {name}: no such target" for line in lines for name in _made(line) if name not in targets]
        for line in lines:
            for words in _called(line):
                wrong += _about_call(words, commands)
    return wrong


def _made(line: str) -> list[str]:
    return re.findall(r"^(?:[A-Z]+=\w+ )?make ([a-z]+)", line)


def _called(line: str) -> Iterator[list[str]]:
    """The words after each ``latchpin`` in a command line, up to its end."""
    for call in re.findall(r"(?:^|\$\()latchpin ([^)#|]*)", line):
        yield shlex.split(call.strip().rstrip('"'), posix=True)


def _about_call(words: list[str], commands: Mapping[str, Collection[str]]) -> list[str]:
    if words and words[0] in {"--version", "--help"}:
        return []
    for count in (2, 1):
        name = " ".join(["latchpin", *words[:count]])
        if name in commands:
            options = {word.partition("=")[0] for word in words[count:] if word.startswith("--")}
            return [f"{name} has no {option}" for option in options - {*commands[name], "--help"}]
    return [f"latchpin {' '.join(words)}: no such command"]
