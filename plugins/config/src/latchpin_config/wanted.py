"""What files say there should be: entries by kind and name, each judged by its kind's model. Pure.

Secrets are references in files. They are put in afterwards, where they are read.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latchpin.contracts import ConfigurationKind
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from latchpin_config.positions import MOST_PROBLEMS, Node, Place, Problem, plain_data, shown
from latchpin_config.shapes import did_you_mean, model_at, secret_places

__all__ = ["KEPT", "Reference", "Wanted", "WantedEntry", "build_entry", "read_wanted"]

KEPT = "kept"
"""What an export writes in the place of a secret: the one that is kept already."""
_REFERENCE = re.compile(r"([a-z][a-z0-9-]*):(.*)", re.DOTALL)
_STANDS_FOR = "a secret that is read later, long enough for every rule about secrets"
_LONGEST_NAME = 200
_MOST_OF_ONE = 20


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is.

    Attributes:
        path: the member that it is for.
        scheme: what stands before the colon.
        rest: what stands behind it.
    """

    path: tuple[str, ...]
    scheme: str
    rest: str
    place: Place


@dataclass(frozen=True, slots=True)
class WantedEntry:
    """An entry that files have.

    Attributes:
        data: what it says, without its secrets.
        references: where its secrets are; those that are kept already are not among them.
        kept: the places of secrets that must be kept already.
    """

    kind: ConfigurationKind
    name: str
    place: Place
    node: Node
    data: Mapping[str, Any] = field(repr=False)
    references: Sequence[Reference] = ()
    kept: Sequence[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that files have, and all that is wrong with them."""

    entries: list[WantedEntry]
    problems: list[Problem]


def read_wanted(documents: Sequence[Node], kinds: Mapping[str, ConfigurationKind]) -> Wanted:
    """Judge documents.

    Args:
        documents: as they were read.
        kinds: those that are offered, by name.
    """
    reading = _Reading(kinds)
    for document in documents:
        reading.add(document)
    return Wanted(reading.entries, reading.problems)


class _Reading:
    """What was found so far."""

    def __init__(self, kinds: Mapping[str, ConfigurationKind]) -> None:
        self._kinds = kinds
        self._first: dict[tuple[str, str], Place] = {}
        self.entries: list[WantedEntry] = []
        self.problems: list[Problem] = []

    def add(self, document: Node) -> None:
        """Read a document's kinds."""
        if not isinstance(document.value, dict):
            self._refuse(document.place, f"a document has keys: {', '.join(self._kinds)}")
            return
        for key, named in document.value.items():
            if len(self.problems) > MOST_PROBLEMS:
                return
            kind = self._kinds.get(key)
            if kind is None:
                hint = did_you_mean(key, list(self._kinds))
                self._refuse(document.keys[key], f"{shown(key)} is no key that an installed plugin knows{hint}")
            elif isinstance(named.value, dict):
                for name, node in named.value.items():
                    if len(self.problems) > MOST_PROBLEMS:
                        return
                    self._entry(kind, name, named.keys[name], node)
            elif named.value is not None:
                self._refuse(named.place, f"{key} holds entries by their names, as in {key}: {{name: ...}}")

    def _entry(self, kind: ConfigurationKind, name: str, place: Place, node: Node) -> None:
        what = f"{kind.name}.{shown(name)}"
        other = self._first.setdefault((kind.name, name), place)
        if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            self._refuse(place, f"{what}: a name has 1 to {_LONGEST_NAME} visible characters")
        elif other != place:
            self._refuse(place, f"{what} is here a second time; the first is {other}")
        elif node.value is not None and not isinstance(node.value, dict):
            self._refuse(node.place, f"{what} holds keys: {', '.join(kind.entry.model_fields)}")
        else:
            data = plain_data(node) or {}
            entry = WantedEntry(kind, name, place, node, data, *_take_references(kind, node, data, what, self.problems))
            found = _judge(entry, _fill(data, {each.path: _STANDS_FOR for each in entry.references}), what)
            self.problems += found
            self.entries += [] if found else [entry]

    def _refuse(self, place: Place, text: str) -> None:
        self.problems.append(Problem(place, text))


def _take_references(
    kind: ConfigurationKind, node: Node, data: dict[str, Any], what: str, problems: list[Problem]
) -> tuple[list[Reference], list[tuple[str, ...]]]:
    """The references of an entry, taken out of ``data``: null stays, as it clears the secret."""
    references: list[Reference] = []
    kept: list[tuple[str, ...]] = []
    for path in secret_places(kind.entry):
        holder: Any = data
        for part in path[:-1]:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or holder.get(path[-1]) is None:
            continue
        said, place = holder.pop(path[-1]), node.find(path)
        matched = _REFERENCE.fullmatch(said) if isinstance(said, str) else None
        if said == KEPT:
            kept.append(path)
        elif matched is None or matched[1] == KEPT or not matched[2]:
            words = "a secret is not written in a file: write where it is, as in env:NAME or file:/path"
            problems.append(Problem(place, f"{what}.{'.'.join(path)}: {words}"))
        else:
            references.append(Reference(path, matched[1], matched[2], place))
    return references, kept


def _fill(data: Mapping[str, Any], secrets: Mapping[tuple[str, ...], str]) -> dict[str, Any]:
    """What an entry says, with secrets at their places."""
    filled: dict[str, Any] = copy.deepcopy(dict(data))
    for path, secret in secrets.items():
        holder = filled
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = secret
    return filled


def build_entry(wanted: WantedEntry, secrets: Mapping[tuple[str, ...], str]) -> tuple[BaseModel | None, list[Problem]]:
    """The entry with its secrets in it, and what does not hold of those."""
    filled = _fill(wanted.data, secrets)
    found = _judge(wanted, filled, f"{wanted.kind.name}.{shown(wanted.name)}")
    return (None, found) if found else (wanted.kind.entry.model_validate(filled), [])


def _judge(entry: WantedEntry, data: Mapping[str, Any], what: str) -> list[Problem]:
    try:
        entry.kind.entry.model_validate(data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False)
        return list(dict.fromkeys(_explain(entry, error, what) for error in errors[:_MOST_OF_ONE]))
    return []


def _explain(entry: WantedEntry, error: ErrorDetails, what: str) -> Problem:
    path = [part for part in error["loc"] if not (isinstance(part, str) and _is_pydantics(part))]
    place = ".".join([what, *(shown(str(part)) for part in path)])
    if error["type"] == "extra_forbidden":
        model = model_at(entry.kind.entry, path[:-1])
        hint = did_you_mean(str(path[-1]), [] if model is None else list(model.model_fields))
        return Problem(entry.node.find(path, key=True), f"{place} is not a key{hint}")
    if error["type"] == "missing":
        return Problem(entry.place, f"{place} is missing")
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "too_short" and error["ctx"]["field_type"] == "Value":  # a secret, which the library counts
        text = f"a secret has at least {error['ctx']['min_length']} characters here"
    return Problem(entry.node.find(path), f"{place}: {text}")


def _is_pydantics(part: str) -> bool:
    """Whether a part of a place is the library's own word: a branch of a union, or a validator."""
    return part == "[key]" or part.startswith(("function-", "list[", "constrained-", "dict["))
