"""A set of gateways, and what is kept of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from latchpin.model import Caller, Document, Gateway
from latchpin.sdk.gateway import is_allowed

__all__ = ["LONGEST_SLUG", "GatewaySet", "is_slug"]

LONGEST_SLUG = 40
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def is_slug(text: str) -> bool:
    """Whether a text has the form of a set's slug: lower-case letters, digits, and single hyphens between them."""
    return len(text) <= LONGEST_SLUG and _SLUG.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class GatewaySet:
    """A set.

    Attributes:
        slug: the last part of its URL; it stays as it is.
        name: what people read.
        description: what it is for, in a few words; may be empty.
        gateways: the ids of its gateways, in the order in which people see them. Some may be gone since.
        allowed_users: who may use it, as a gateway has it; empty: everyone who is signed in.
        revision: of what is kept, for compare and swap.
    """

    slug: str
    name: str
    description: str
    gateways: tuple[str, ...]
    allowed_users: tuple[str, ...] = field(repr=False)
    created_at: datetime
    updated_at: datetime
    revision: int = 0

    @property
    def path(self) -> str:
        """Its endpoint's, below BASE_URL."""
        return f"/mcp/{self.slug}"

    def lets_in(self, caller: Caller) -> bool:
        """Whether the caller may know of it."""
        return is_allowed(caller, self.allowed_users)

    def among(self, gateways: Sequence[Gateway]) -> list[Gateway]:
        """Those of ``gateways`` that are in the set, in its order."""
        by_id = {gateway.id: gateway for gateway in gateways}
        return [by_id[each] for each in self.gateways if each in by_id]

    @classmethod
    def read(cls, held: Document) -> Self:
        """What ``dump`` wrote."""
        body = held.body
        return cls(
            held.id,
            body["name"],
            body["description"],
            tuple(body["gateways"]),
            tuple(body["allowed_users"]),
            datetime.fromisoformat(body["created_at"]),
            datetime.fromisoformat(body["updated_at"]),
            held.revision,
        )

    def dump(self) -> Document:
        """As it is kept: under its slug, so that no two have one."""
        body: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "gateways": list(self.gateways),
            "allowed_users": list(self.allowed_users),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }
        return Document(self.slug, body, revision=self.revision)
