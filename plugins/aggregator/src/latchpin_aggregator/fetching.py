"""Asking one server for all that it offers one caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latchpin.model import Caller, Gateway
from latchpin.sdk.mcp import METHOD_NOT_FOUND

from latchpin_aggregator.envelopes import compose, envelope
from latchpin_aggregator.eras import Eras
from latchpin_aggregator.kept import KINDS, Entries, Entry, Kind, read_entries
from latchpin_aggregator.profiles import EVERYTHING
from latchpin_aggregator.sessions import ServerSession, Sessions
from latchpin_aggregator.wire import Answer, Outgoing, Unavailable, Wire

__all__ = ["Fetched", "Fetching"]

MOST_ENTRIES, MOST_PAGES = 1_000, 100
"""Of one kind at one server."""
MOST_CHARACTERS = 1_000_000
"""Of all that one server offers one person: it is held in memory."""
MOST_READ = 8_388_608
"""Of all pages of one list, in characters: they are held until the last one has come."""
LONGEST_MILLISECONDS = 86_400_000
"""What is taken for how long a list holds, whatever its server says."""
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server offers.

    Attributes:
        holds: for how many seconds, as the server has it; None: it does not say.
    """

    entries: dict[Kind, Entries]
    holds: float | None


class Fetching:
    """Asks servers for their lists."""

    def __init__(self, wire: Wire, eras: Eras, sessions: Sessions, *, seconds: float) -> None:
        self._wire = wire
        self._eras = eras
        self._sessions = sessions
        self._seconds = seconds

    async def fetch(self, gateway: Gateway, caller: Caller, slug: str) -> Fetched:
        """All lists, all pages.

        Raises:
            Unavailable: the server does not serve this caller now, or nobody can read what it lists.
        """
        try:
            return await self._fetch(gateway, caller, slug)
        except Unavailable as exc:
            if exc.answered:  # it may speak otherwise by now
                await self._eras.forget(gateway)
            raise

    async def _fetch(self, gateway: Gateway, caller: Caller, slug: str) -> Fetched:
        era = await self._eras.find(gateway, caller)
        session = None if era == "modern" else await self._sessions.of(gateway, caller, EVERYTHING)
        place = _Place(gateway, caller, slug, session)
        entries: dict[Kind, Entries] = {}
        holds: list[int] = []
        for kind in KINDS:
            if session is None or _is_offered(kind, session):
                entries[kind] = Entries.of(await self._all_pages(place, kind, holds))
        if sum(len(each.text) for each in entries.values()) > MOST_CHARACTERS:
            raise Unavailable(f"its lists have more than {MOST_CHARACTERS:,} characters")
        return Fetched(entries, min(*holds, LONGEST_MILLISECONDS) / 1_000 if holds else None)

    async def _all_pages(self, place: _Place, kind: Kind, holds: list[int]) -> list[Entry]:
        entries: list[Entry] = []
        cursors: set[str] = set()
        cursor: str | None = None
        read = 0
        while True:
            answer = await self._page(place, kind, cursor)
            if answer is None:
                return entries
            read += len(answer.message or "")
            if read > MOST_READ:
                raise Unavailable(f"its answer to {KINDS[kind]} has more than {MOST_READ:,} characters")
            try:
                page, cursor, ttl = read_entries(answer.message or "", kind, place.slug)
            except (ValueError, RecursionError):
                raise Unavailable(f"nobody can read its answer to {KINDS[kind]}", answered=True) from None
            entries += page
            if ttl is not None:
                holds.append(ttl)
            if cursor is None or cursor in cursors:
                return entries
            if len(entries) > MOST_ENTRIES or len(cursors) > MOST_PAGES:
                raise Unavailable(f"its answer to {KINDS[kind]} has more than {MOST_ENTRIES:,} entries")
            cursors.add(cursor)

    async def _page(self, place: _Place, kind: Kind, cursor: str | None) -> Answer | None:
        """One page; None where the server has no such list."""
        method, session = KINDS[kind], place.session
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        if session is None:
            outgoing = Outgoing(
                compose(method, params | {"_meta": envelope(capabilities=EVERYTHING.capabilities())}, id="list"),
                "modern",
                method,
            )
        else:
            body = compose(method, params or None, id="list")
            outgoing = Outgoing(body, "sessions", method, version=session.version, session=session.id)
        answer = await self._wire.ask(place.gateway, place.caller, outgoing, seconds=self._seconds)
        if session is not None and answer.head.status == _NOT_FOUND:
            await self._sessions.forget(place.gateway, place.caller, EVERYTHING, session)
            raise Unavailable("its session has ended", answered=True)
        error = answer.value().get("error")
        if isinstance(error, dict):
            if error.get("code") == METHOD_NOT_FOUND:
                return None
            code = error.get("code")
            which = f"the error {code}" if isinstance(code, int) else "an error"
            raise Unavailable(f"it answers {method} with {which}", answered=True)
        return answer


@dataclass(frozen=True, slots=True)
class _Place:
    """Where lists are asked for, and on whose behalf; no session with 2026-07-28."""

    gateway: Gateway
    caller: Caller
    slug: str
    session: ServerSession | None


def _is_offered(kind: Kind, session: ServerSession) -> bool:
    return ("resources" if kind == "resourceTemplates" else kind) in session.offers
