"""A tool as it was approved at one gateway, and as its server lists it since. Pure."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from latchpin.model import Document, index_time

__all__ = ["Change", "Pin", "Variant", "build_pin", "diff_of", "hash_of", "pin_id"]

MOST_VARIANTS = 20
"""How many approved definitions of one tool are kept: servers may show different people different ones."""
FIRST_USE = ""


def hash_of(definition: Mapping[str, Any]) -> str:
    """What stands for a definition: the same for the same members, in whatever order they come."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def pin_id(gateway_id: str, name: str) -> str:
    """Under which id a tool's pin is kept."""
    return hashlib.sha256(f"{gateway_id}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Variant:
    """One definition.

    Attributes:
        at: when it was approved, or first seen if it was not.
        by: who approved it; ``FIRST_USE``: nobody, it was the first.
    """

    definition: Mapping[str, Any] = field(repr=False)
    hash: str
    at: datetime
    by: str = FIRST_USE

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """What ``dump`` wrote."""
        return cls(body["definition"], body["hash"], datetime.fromisoformat(body["at"]), body["by"])

    def dump(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"definition": dict(self.definition), "hash": self.hash, "at": self.at.isoformat(), "by": self.by}


@dataclass(frozen=True, slots=True)
class Pin:
    """A tool at a gateway.

    Attributes:
        approved: the newest last; empty where none is.
        held: what its server lists now and nobody approved; None where there is nothing.
        revision: of what is kept, for compare and swap.
    """

    gateway: str
    name: str
    approved: tuple[Variant, ...]
    held: Variant | None
    revision: int = 0

    @property
    def id(self) -> str:
        """Under which it is kept."""
        return pin_id(self.gateway, self.name)

    @property
    def hashes(self) -> frozenset[str]:
        """Of what is approved."""
        return frozenset(each.hash for each in self.approved)

    def holding(self, variant: Variant) -> Pin:
        """With what was seen, which nobody approved."""
        return replace(self, held=variant)

    def approving(self, by: str, at: datetime) -> Pin:
        """With what is held approved."""
        if self.held is None:
            return self
        kept = (*self.approved, replace(self.held, by=by, at=at))[-MOST_VARIANTS:]
        return replace(self, approved=kept, held=None)

    @classmethod
    def read(cls, stored: Document) -> Self:
        """What ``dump`` wrote."""
        body = stored.body
        approved = tuple(Variant.read(each) for each in body["approved"])
        held = None if body["held"] is None else Variant.read(body["held"])
        return cls(body["gateway"], body["name"], approved, held, stored.revision)

    def dump(self) -> Document:
        """As it is kept: found by its gateway, and by when it was first held back."""
        body = {
            "gateway": self.gateway,
            "name": self.name,
            "approved": [each.dump() for each in self.approved],
            "held": None if self.held is None else self.held.dump(),
        }
        fields = {"gateway": self.gateway}
        if self.held is not None:
            fields["held"] = index_time(self.held.at)
        return Document(self.id, body, fields, revision=self.revision)

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "gateway": self.gateway,
            "tool": self.name,
            "approved": None if not self.approved else dict(self.approved[-1].definition),
            "held": None if self.held is None else dict(self.held.definition),
            "hash": "" if self.held is None else self.held.hash,
            "held_since": None if self.held is None else self.held.at.isoformat(),
        }


def build_pin(gateway_id: str, name: str, variant: Variant, *, first_use: bool) -> Pin:
    """The pin of a tool that was never seen before."""
    return Pin(gateway_id, name, (variant,), None) if first_use else Pin(gateway_id, name, (), variant)


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a definition, written as JSON: the same, added or taken away."""

    kind: Literal["same", "added", "removed"]
    text: str


_KINDS: Mapping[str, Literal["same", "added", "removed"]] = {" ": "same", "+": "added", "-": "removed"}


def diff_of(pin: Pin) -> list[Change]:
    """What is held, line by line against what was approved last."""
    old = _lines(pin.approved[-1].definition) if pin.approved else []
    new = [] if pin.held is None else _lines(pin.held.definition)
    return [Change(_KINDS[line[0]], line[2:]) for line in difflib.ndiff(old, new) if line[0] in _KINDS]


def _lines(definition: Mapping[str, Any]) -> list[str]:
    """ASCII, so that nobody overlooks what cannot be seen; long texts a line for each of theirs."""
    return json.dumps(definition, indent=2, sort_keys=True).replace("\\n", "\\n\n").splitlines()
