"""What a plugin keeps: documents in named collections."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

__all__ = ["ID_INDEX", "CollectionSpec", "Document", "Span", "index_time"]

ID_INDEX = "id"
"""The index that every collection has: each document under its id."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # json.dumps would make one each time
_ID_BYTES = 255
_VALUE_BYTES = 700


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """Names and declares a collection. Two processes that open one name should declare it alike.

    Attributes:
        name: unique among all plugins, so it begins with the plugin's own name, as in ``flows_history``. At most 40
            lower-case letters, digits and underscores.
        indexes: names of the index fields by which documents are scanned and counted, each written like ``name``.
            ``id`` is always there and is not declared.
        sealed: members of the body that are secret. They are strings, and the store sees them sealed only.
        disposable: a store with little room may let the oldest documents go instead of refusing new ones.
    """

    name: str
    indexes: tuple[str, ...] = ()
    sealed: frozenset[str] = frozenset()
    disposable: bool = False

    def __post_init__(self) -> None:
        """Refuse names that a store could not hold."""
        for name in (self.name, *self.indexes):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a collection or index: a-z, 0-9 and _, at most 40")
        if ID_INDEX in self.indexes or len(set(self.indexes)) != len(self.indexes):
            raise ValueError(f"the indexes of {self.name} name {ID_INDEX!r}, or one name twice")

    def require_index(self, name: str) -> None:
        """Refuse an index that is not declared: nothing would ever be found by it."""
        if name not in {ID_INDEX, *self.indexes}:
            raise ValueError(f"{self.name} declares no index {name!r}")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a collection.

    Attributes:
        id: its name in the collection: 1 to 255 bytes of UTF-8 without NUL.
        body: a JSON object.
        fields: index field to the text that this document is found by, at most 700 bytes of UTF-8 without NUL; a
            document without a field is not in that index, and ``id`` is none of them. Values sort by code point; see
            ``index_time``.
        revision: 0 for one that was never stored; else it names the write that stored it, and no other write of any
            document. It is what compare and swap compares.
        expires_at: from this moment on, with its time zone, the document is gone; None: it lasts.
    """

    id: str
    body: Mapping[str, Any] = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what some store could not hold, so that no store has to say so."""
        _require_text(self.id, _ID_BYTES, "a document's id")
        if not self.id:
            raise ValueError("a document's id is empty")
        for name, value in self.fields.items():
            if name == ID_INDEX or not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name of an index field: a-z, 0-9 and _, at most 40, and not {ID_INDEX!r}"
                )
            _require_text(value, _VALUE_BYTES, f"the index field {name}")
        if self.revision < 0:
            raise ValueError("a document's revision is negative")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("a document's end has no time zone")

    def expired(self, now: datetime) -> bool:
        """Whether it is gone at ``now``."""
        return self.expires_at is not None and self.expires_at <= now

    def written(self) -> Document:
        """The same as a store keeps it: with a revision that no write had before.

        Counting would begin again for a document that was removed, and an old revision then pass for a new one.
        """
        stored = object.__new__(Document)  # not ``replace``, which would judge all of it once more
        for name in Document.__slots__:
            object.__setattr__(stored, name, getattr(self, name))
        object.__setattr__(stored, "revision", 1 + secrets.randbits(52))
        return stored

    def dump_body(self) -> str:
        """The body as compact JSON: ASCII, without line breaks.

        Raises:
            ValueError: it holds a number that JSON has no word for.
            TypeError: it holds what JSON cannot.
        """
        return _encode(dict(self.body))


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an index: the values from ``begin`` up to and without ``end``; None: to the last."""

    begin: str = ""
    end: str | None = None

    def __contains__(self, value: str) -> bool:
        return self.begin <= value and (self.end is None or value < self.end)

    @classmethod
    def only(cls, value: str) -> Span:
        """The documents whose value is exactly this: nothing without NUL lies between it and the end."""
        return cls(value, value + "\x01")

    @classmethod
    def prefix(cls, text: str) -> Span:
        """The documents whose value begins with ``text``."""
        stem = text.rstrip("\U0010ffff")
        if not stem:
            return cls(text)
        after = "\ue000" if stem[-1] == "\ud7ff" else chr(ord(stem[-1]) + 1)  # UTF-8 has nothing between these two
        return cls(text, stem[:-1] + after)


def index_time(moment: datetime) -> str:
    """A time as text of fixed width, so that texts sort as the times do."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _require_text(value: object, limit: int, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} is not text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not text that UTF-8 has") from None
    if "\0" in value or size > limit:
        raise ValueError(f"{what} holds NUL or more than {limit} bytes")
