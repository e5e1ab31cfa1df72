"""People who are out: an administrator, a directory or a command ended all that they had, and nothing lets them in.

Whoever is to be kept out has a note written here (``bar``), and is out until it is taken back (``let_in``). What asks
for it is part of the core: no plugin that is left out lets anybody in.

It is one note for each person, under a hash of the address. It has no end of its own: a token that another server
issued may be good for as long as it likes, and a proxy in front may go on naming somebody. Who was out comes back when
they are let in.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from latchpin.contracts import KeyValueRecords
from latchpin.errors import RecordConflict
from latchpin.model import CLIENT_ITSELF, Caller

__all__ = ["DIRECTORY", "FOR_EVER", "Barred", "bar", "find_barred", "is_out", "let_in", "list_barred"]

DIRECTORY = Caller(CLIENT_ITSELF, is_admin=True, via="directory")
"""Who acts where another system says that somebody left: it is proven by that system's own secret."""

FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when nothing counts that was issued to who is out; no token says a later time."""

_PREFIX = "barred:"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Barred:
    """A person who is out.

    Attributes:
        email: the address.
        at: since when.
        by: the address of who ended them; ``CLIENT_ITSELF`` for a directory.
        way: by which way, in one word, such as ``command`` or ``scim``. What one way ended, no other lets in by itself.
    """

    email: str
    at: datetime
    by: str
    way: str

    @property
    def by_directory(self) -> bool:
        """Whether another system ended them, and may let them in again."""
        return self.by == CLIENT_ITSELF

    def dump(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()})

    @classmethod
    def load(cls, text: str) -> Barred:
        """Read what was kept."""
        held = json.loads(text)
        return cls(held["email"], datetime.fromisoformat(held["at"]), held["by"], held["way"])


async def bar(kept: KeyValueRecords, barred: Barred) -> Barred:
    """Keep a person out from now on, and return what stands.

    It is the first step of an end: ``end_everything_of`` ends what was issued to them, and what is under way. Who is
    out already stays so. Only a person's word takes the place of a directory's, which then lets them in no more:
    in one write, since a moment without a note would let them in.

    Raises:
        RecordConflict: others kept changing it.
        BackendUnavailable: do it again.
    """
    name, ours = _name(barred.email), barred.dump()
    for _ in range(_ATTEMPTS):
        note = await kept.put(name, ours)
        stands = Barred.load(note)
        if barred.by_directory or not stands.by_directory:
            return stands
        if await kept.replace(name, ours, replacing=note):
            return barred
    raise RecordConflict("whether a person is out kept changing while it was to be written")


async def let_in(kept: KeyValueRecords, email: str, *, way: str | None = None) -> Barred | None:
    """Let a person in again; with ``way``, only if they are out by that. None: nobody was out, or not by that.

    What they had must have ended before (``ended_since``), or it comes back with them.

    Raises:
        BackendUnavailable: do it again.
    """
    stands = await find_barred(kept, email)
    if stands is None or way not in {None, stands.way}:
        return None
    return stands if await kept.take(_name(email), value=stands.dump()) is not None else None


async def find_barred(kept: KeyValueRecords, email: str) -> Barred | None:
    """The note about a person; None: they are not out."""
    note = await kept.get(_name(email))
    return None if note is None else Barred.load(note)


async def is_out(kept: KeyValueRecords, email: str) -> bool:
    """Whether somebody is out, as the store has it now.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    return await find_barred(kept, email) is not None


async def list_barred(kept: KeyValueRecords) -> list[Barred]:
    """Everybody who is out, who went last first."""
    found = [Barred.load(note) for note in (await kept.list(_PREFIX)).values()]
    return sorted(found, key=lambda each: each.at, reverse=True)


def _name(email: str) -> str:
    return f"{_PREFIX}{hashlib.sha256(email.encode()).hexdigest()}"
