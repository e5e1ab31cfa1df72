"""A group that an administrator keeps here. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from latchpin.model import Document

__all__ = ["PeopleGroup", "group_id"]


@dataclass(frozen=True, slots=True)
class PeopleGroup:
    """A group.

    Attributes:
        name: as ``latchpin.model.write_group`` writes it.
        members: addresses and ``*@domain``.
        note: who that is, in a few words.
        revision: of what is kept, for compare and swap.
    """

    name: str
    members: tuple[str, ...] = field(repr=False)
    note: str
    updated_at: datetime
    revision: int = 0

    @classmethod
    def read(cls, held: Document) -> Self:
        """What ``dump`` wrote."""
        body = held.body
        moment = datetime.fromisoformat(body["updated_at"])
        return cls(body["name"], tuple(body["members"]), body["note"], moment, held.revision)

    def dump(self) -> Document:
        """As it is kept: under its name, which is short enough."""
        body: dict[str, Any] = {
            "name": self.name,
            "members": list(self.members),
            "note": self.note,
            "updated_at": self.updated_at.isoformat(),
        }
        return Document(group_id(self.name), body, revision=self.revision)

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {**self.dump().body, "revision": self.revision}


def group_id(name: str) -> str:
    """Under which id it is kept: a name of 200 characters may have more bytes than an id."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
