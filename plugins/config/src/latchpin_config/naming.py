"""Entries by their names, those that are there and those that are planned. Pure."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable

from latchpin.contracts import StandingEntry
from latchpin.errors import InvalidRequest

from latchpin_config.positions import shown
from latchpin_config.shapes import did_you_mean

__all__ = ["Names"]


class Names:
    """See ``latchpin.contracts.EntryNames``."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._names: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def add(self, kind: str, standing: Iterable[StandingEntry]) -> None:
        """Know what is there."""
        for each in standing:
            self._ids[kind][each.name].append(each.id)
            self._names[kind][each.id] = each.name

    def expect(self, kind: str, name: str) -> None:
        """Know of one that is planned, under an id that stands for the one it will get."""
        if not self._ids[kind][name]:
            self.came(kind, name, secrets.token_hex(16))

    def came(self, kind: str, name: str, id: str) -> None:  # noqa: A002  the entry's own word
        """Know the id that it got."""
        self._ids[kind][name] = [id]
        self._names[kind][id] = name

    def forget(self, kind: str, name: str) -> None:
        """One goes: nothing may refer to it any more, though it is still called so."""
        self._ids[kind].pop(name, None)

    def ambiguous(self, kind: str) -> set[str]:
        """The names of which there are several."""
        return {name for name, ids in self._ids[kind].items() if len(ids) > 1}

    def id_of(self, kind: str, name: str) -> str:
        """Its id."""
        found = self._ids[kind].get(name, [])
        if len(found) > 1:
            raise InvalidRequest(f"{len(found)} of the {kind} are called {shown(name)}: rename all but one")
        if not found:
            known = [each for each, ids in self._ids[kind].items() if ids]
            near = did_you_mean(name, known)
            raise InvalidRequest(
                f"none of the {kind} is called {shown(name)}{near if near.startswith('; did') else ''}"
            )
        return found[0]

    def name_of(self, kind: str, id: str) -> str | None:  # noqa: A002  as above
        """What files call it."""
        return self._names[kind].get(id)
