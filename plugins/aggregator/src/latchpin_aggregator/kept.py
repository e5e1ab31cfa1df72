"""What one server offers one caller, as it is kept: the entries as the server wrote them, but for their names. Pure."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from latchpin_mcp.parts import read_elements, read_members, read_value, replace_parts

from latchpin_aggregator.argument_headers import ANNOTATION, Position, find_positions
from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.naming import expose_name, expose_uri

__all__ = ["KINDS", "Entries", "Entry", "Kept", "Kind", "held_bytes", "read_entries"]

Kind = Literal["tools", "prompts", "resources", "resourceTemplates"]

KINDS: Final[Mapping[Kind, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "resourceTemplates": "resources/templates/list",
}
"""Each kind, as the member of a result that holds it is called, with the method that lists it."""
_OF_A_NAME = 300
"""About how many bytes it takes to know one name's other."""
_URI: Final[Mapping[Kind, str]] = {"resources": "uri", "resourceTemplates": "uriTemplate"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool, prompt, resource or template.

    Attributes:
        own: what its server calls it: the name, or the URI.
        exposed: what clients call it.
        text: its JSON, with what clients call it.
        repeated: arguments that header fields repeat.
    """

    own: str
    exposed: str
    text: str = field(repr=False)
    repeated: Sequence[Position] = ()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Entries:
    """All entries of one kind.

    Attributes:
        text: their JSON, with commas between them.
        own: what the server calls each, by what clients call it.
        repeated: arguments that header fields repeat, for those that have any.
    """

    text: str = field(default="", repr=False)
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeated: Mapping[str, Sequence[Position]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Entries:
        """Those; of several with one name the first."""
        first: dict[str, Entry] = {}
        for entry in entries:
            first.setdefault(entry.exposed, entry)
        text = ",".join(entry.text for entry in first.values())
        own = {entry.exposed: entry.own for entry in first.values()}
        return cls.held_once(text, own, {entry.exposed: entry.repeated for entry in first.values() if entry.repeated})

    @classmethod
    def held_once(cls, text: str, own: Mapping[str, str], repeated: Mapping[str, Sequence[Position]]) -> Entries:
        """The same as before where many people are offered alike: it is in memory once."""
        digest = hashlib.sha256(dump([text, own, repeated]).encode()).digest()
        held = _held.get(digest)
        if held is None:
            held = cls(text, own, repeated)
            _held.keep(digest, held, sys.getsizeof(text) + len(own) * _OF_A_NAME)
        return held

    def dump(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"text": self.text, "own": dict(self.own), "repeated": dict(self.repeated)}


class _Held:
    """All entries that somebody holds, and how many bytes they take."""

    def __init__(self) -> None:
        self.bytes = 0
        self._by_digest: weakref.WeakValueDictionary[bytes, Entries] = weakref.WeakValueDictionary()

    def get(self, digest: bytes) -> Entries | None:
        return self._by_digest.get(digest)

    def keep(self, digest: bytes, entries: Entries, size: int) -> None:
        self._by_digest[digest] = entries
        self.bytes += size
        weakref.finalize(entries, self._let_go, size).atexit = False

    def _let_go(self, size: int) -> None:
        self.bytes -= size


_held = _Held()


def held_bytes() -> int:
    """How much memory all entries take, each counted once."""
    return _held.bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of one server on one caller's behalf.

    Attributes:
        entries: by kind; what was listed last.
        fresh_until: from then on it is renewed.
        problem: why it could not be renewed, in one sentence; ``""`` if it could.
        waits: for the person, who has to authorize the server.
        listed: it was listed at least once.
    """

    entries: Mapping[Kind, Entries]
    fresh_until: datetime
    problem: str = ""
    waits: bool = False
    listed: bool = True

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Kept:
        """What ``dump`` wrote."""
        held = {kind: body["entries"].get(kind) for kind in KINDS}
        entries = {kind: Entries.held_once(**each) for kind, each in held.items() if each}
        until = datetime.fromisoformat(body["fresh_until"])
        return cls(entries, until, str(body["problem"]), bool(body["waits"]), bool(body["listed"]))

    def dump(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "entries": {kind: each.dump() for kind, each in self.entries.items()},
            "fresh_until": self.fresh_until.isoformat(),
            "problem": self.problem,
            "waits": self.waits,
            "listed": self.listed,
        }

    def get(self, kind: Kind) -> Entries:
        """The entries of a kind."""
        return self.entries.get(kind, _NONE)


_NONE = Entries()


def read_entries(text: str, kind: Kind, slug: str) -> tuple[list[Entry], str | None, int | None]:
    """One page of a list: its entries, the cursor of the next page, and for how many milliseconds it holds.

    Entries that have no name, or are no objects, are left out: nobody could call them.

    Raises:
        ValueError, RecursionError: it is no page of such a list.
    """
    whole = read_value(text)
    result = read_members(text, whole).get("result") if isinstance(whole.value, dict) else None
    if result is None or not isinstance(result.value, dict):
        raise ValueError("no result")
    members = read_members(text, result)
    if kind not in members or not isinstance(members[kind].value, list):
        raise ValueError(f"no list of {kind}")
    entries = []
    for part in read_elements(text, members[kind]):
        with contextlib.suppress(ValueError):  # one that can be read in two ways
            entry = _entry(text[part.start : part.end], kind, slug)
            if entry is not None:
                entries.append(entry)
    cursor, ttl = result.value.get("nextCursor"), result.value.get("ttlMs")
    holds = ttl if isinstance(ttl, int) and not isinstance(ttl, bool) and ttl >= 0 else None
    return entries, cursor if isinstance(cursor, str) else None, holds


def _entry(text: str, kind: Kind, slug: str) -> Entry | None:
    whole = read_value(text)
    if not isinstance(whole.value, dict):
        return None
    members = read_members(text, whole)
    name = members.get("name")
    if name is None or not isinstance(name.value, str) or not name.value:
        return None
    exposed_name = expose_name(slug, name.value)
    changes = [(name, dump(exposed_name))]
    key = _URI.get(kind)
    if key is None:
        repeated = find_positions(whole.value.get("inputSchema")) if ANNOTATION in text else ()
        return Entry(name.value, exposed_name, replace_parts(text, whole, changes), repeated)
    uri = members.get(key)
    if uri is None or not isinstance(uri.value, str) or not uri.value:
        return None
    exposed = expose_uri(slug, uri.value)
    return Entry(uri.value, exposed, replace_parts(text, whole, [*changes, (uri, dump(exposed))]))
