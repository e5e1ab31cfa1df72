"""One line of the table: a cause, a situation that brings it about, and where that cannot be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx
from latchpin.errors import LatchpinError
from latchpin.errors.causes import CAUSES, Cause

from tests.causes.world import World

__all__ = ["Row", "Situation", "impossible"]

Situation = Callable[[World], Awaitable[httpx.Response | LatchpinError]]
"""Gives the answer, or what stopped the start."""


@dataclass(frozen=True)
class Row:
    """Attributes:
    slug: the cause that must be named.
    situation: what is done, in a few words.
    bring: does it, and gives the answer.
    neighbour: a cause that is near it, and must not be named.
    fact: what the detail of the answer must say; ``""`` where the answer may tell no facts.
    impossible: by store, why it cannot be there.
    """

    slug: str
    situation: str
    bring: Situation
    neighbour: str
    fact: str = ""
    impossible: Mapping[str, str] = field(default_factory=dict)

    @property
    def cause(self) -> Cause:
        return CAUSES[self.slug]

    @property
    def answered(self) -> str:
        """What the answer names: before signature and browser are proven, the wider cause."""
        return self.cause.general if self.slug == "state-secret-changed" else self.slug

    @property
    def name(self) -> str:
        return f"{self.slug}: {self.situation}"


def impossible(reason: str, *stores: str) -> dict[str, str]:
    """The same reason for several stores."""
    return dict.fromkeys(stores, reason)
