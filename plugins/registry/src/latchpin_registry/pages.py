"""Parts of the registry's list. Pure.

A cursor holds all of the question: VS Code asks for the next page with the cursor alone, and means the same search.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self

from latchpin.errors import InvalidRequest

from latchpin_registry.entries import LATEST, VERSION, Entry

__all__ = ["MOST", "PAGE", "Page", "Question"]

PAGE = 30
"""How many entries a page has that nobody asked to be larger."""
MOST = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the cursor of the page behind them; None: these are the last."""

    entries: Sequence[Entry]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries are wanted.

    Attributes:
        search: a part of the name or title.
        since: only those that may have changed since then (RFC 3339); ``""``: all.
        version: ``latest``, or exactly that one; ``""``: any.
        after: the name of the last entry that was seen.
    """

    search: str = ""
    since: str = ""
    version: str = ""
    after: str = ""

    @classmethod
    def read(cls, cursor: str) -> Self:
        """The question that goes on behind a page.

        Raises:
            InvalidRequest: the cursor is none that a page named.
        """
        with suppress(ValueError, TypeError, RecursionError):
            held = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
            if isinstance(held, dict) and all(isinstance(value, str) for value in held.values()):
                return cls(**held)
        raise InvalidRequest("cursor: it is none that a page of this list named")

    def find(self, entries: Sequence[Entry], *, limit: int) -> Page:
        """The entries that are wanted, ``limit`` at most.

        Args:
            entries: all, by name.
            limit: how many.

        Raises:
            InvalidRequest: ``since`` is no time.
        """
        since = _read_time(self.since) if self.since else None
        found = [
            entry
            for entry in entries
            if entry.name > self.after
            and self.version in {"", LATEST, VERSION}
            and (not self.search or entry.holds(self.search))
            and (since is None or entry.is_since(since))
        ]
        page = found[:limit]
        return Page(page, replace(self, after=page[-1].name).cursor() if len(found) > limit else None)

    def cursor(self) -> str:
        """As ``read`` reads it."""
        text = json.dumps(asdict(self), separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not encoded
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest("updated_since: must be a time such as 2026-08-07T13:15:04Z")
    return moment
