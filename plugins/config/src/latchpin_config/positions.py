"""YAML as a tree that knows where each part of it stands. Pure.

The parser's events are taken one by one, so nothing that a file says is built before it was judged. A file is plain
data: an anchor, an alias, a tag, a merge key or a key that is there twice is refused where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["MOST_PROBLEMS", "Node", "Place", "Problem", "Wrong", "parse_documents", "plain_data", "shown", "visible"]

LARGEST = 1_000_000
"""Characters of a file."""
MOST_NODES = 100_000
DEEPEST = 20
MOST_PROBLEMS = 200
"""So many are told at once; nothing is looked for behind them."""
_SIGN = re.compile(r"'(<[a-z ]+>|\\t|[^\w\s])'")
"""What the parser itself calls a part of YAML: ``'<block end>'``, a tab, or one sign such as ``']'``."""
_IN_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,15}")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for text, value in (("true", True), ("false", False)) for word in (text, text.title(), text.upper())
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: a file as it was named, and line and column from 1."""

    file: str
    line: int = 1
    column: int = 1

    @property
    def line_of_file(self) -> str:
        """Without the column, and without what a terminal would act on in the file's name."""
        return f"{visible(self.file)}:{self.line}"

    def __str__(self) -> str:
        """As compilers say it, so that editors find it."""
        return f"{self.line_of_file}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something in a file that does not hold. Nothing secret is in it."""

    place: Place
    text: str

    def __str__(self) -> str:
        """One line of what is printed."""
        return f"{self.place}: {self.text}"


class Wrong(Exception):
    """What is wrong with a file, at its place."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(place, text)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a document.

    Attributes:
        value: text, a number, a truth value or None; a list of nodes; or a dictionary of them by key.
        keys: where each key of a dictionary stands.
    """

    place: Place
    value: Any = field(repr=False)
    keys: dict[str, Place] = field(default_factory=dict, repr=False)

    def find(self, path: Sequence[object], *, key: bool = False) -> Place:
        """Where the part at ``path`` stands, or the last one on the way there; with ``key`` its key, not its value."""
        node = self
        place = self.place
        for part in path:
            inner = node.value
            if isinstance(inner, dict) and part in inner:
                name = str(part)
                place, node = (node.keys[name] if key else inner[name].place), inner[name]
            elif isinstance(inner, list) and isinstance(part, int) and 0 <= part < len(inner):
                node = inner[part]
                place = node.place
        return place


def plain_data(node: Node) -> Any:  # noqa: ANN401  whatever a file held
    """What a node holds, without its places."""
    if isinstance(node.value, dict):
        return {key: plain_data(inner) for key, inner in node.value.items()}
    return [plain_data(inner) for inner in node.value] if isinstance(node.value, list) else node.value


def parse_documents(text: str, file: str) -> list[Node]:
    """The documents of a file, without empty ones.

    Raises:
        Wrong: it is no YAML, or more than plain data.
    """
    if len(text) > LARGEST:
        raise Wrong(Place(file), f"the file has more than {LARGEST:,} characters")
    try:
        return [node for node in _Reader(text, file).documents() if node.value is not None]
    except yaml.MarkedYAMLError as exc:
        raise Wrong(_mark(file, exc.problem_mark or exc.context_mark), f"this is no YAML: {_said(exc)}") from None
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position]
        place = Place(file, before.count("\n") + 1, exc.position - (before.rfind("\n") + 1) + 1)
        raise Wrong(place, "this is no YAML: a character that no file may have") from None


def _said(exc: yaml.MarkedYAMLError) -> str:
    """The parser's words, without the text that it may repeat: that may be a secret. Its own signs stay."""
    said = " ".join(filter(None, (exc.context, exc.problem)))
    return re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: quoted[0] if _SIGN.fullmatch(quoted[0]) else "this", said)


def _mark(file: str, mark: Any) -> Place:  # noqa: ANN401  the library's
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)


class _Reader:
    """Makes nodes of events, with a bound on all that grows."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._count = 0
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield self._node(next(self._events), 0)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = _mark(self._file, event.start_mark)
        self._count += 1
        if self._count > MOST_NODES:
            raise Wrong(place, f"the file has more than {MOST_NODES:,} values")
        if depth > DEEPEST:
            raise Wrong(place, f"the file is more than {DEEPEST} levels deep")
        self._refuse_more_than_data(event, place)
        if isinstance(event, yaml.ScalarEvent):
            if _IN_NO_TEXT.search(event.value):
                raise Wrong(place, "a character that no text may have")
            return Node(place, event.value if event.style else _resolve(event.value))
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(place, list(self._items(depth)))
        return self._mapping(place, depth)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _mapping(self, place: Place, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            where = _mark(self._file, event.start_mark)
            self._refuse_more_than_data(event, where)
            if not isinstance(event, yaml.ScalarEvent):
                raise Wrong(where, "a key must be text")
            key = str(event.value)
            if key == "<<" and not event.style:
                raise Wrong(where, "merge keys (<<) are not read; write out what is meant")
            if key in values:
                raise Wrong(where, f"{shown(key)} is here a second time; the first is in line {keys[key].line}")
            keys[key] = where
            values[key] = self._node(next(self._events), depth + 1)
        return Node(place, values, keys)

    @staticmethod
    def _refuse_more_than_data(event: yaml.Event, place: Place) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise Wrong(place, "aliases (*name) are not read; write out what is meant")
        if getattr(event, "anchor", None) is not None:
            raise Wrong(place, "anchors (&name) are not read; write out what is meant")
        if getattr(event, "tag", None) is not None:
            raise Wrong(place, "tags (!name) are not read; a file is plain data")


def _resolve(text: str) -> Any:  # noqa: ANN401  text, number, truth value or nothing
    """A word without quotes: null, true, false and whole numbers as YAML 1.2 has them; all else is text."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def visible(text: str) -> str:
    """A text with every character that cannot be seen written as its number."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown(text: str) -> str:
    """A key as it may be repeated: short, and without what a terminal would act on."""
    return ascii(text[:80])[1:-1]
