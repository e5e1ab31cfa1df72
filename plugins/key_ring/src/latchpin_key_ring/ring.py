"""The key ring as a value: its keys with their states, and what may become of it. Nothing here does I/O.

A key is ``announced`` first, until every worker has it; then it is ``current``, and what was current is ``earlier``. An
earlier key that nothing is sealed under goes. What it signed is proved later by a key for ``proving`` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

__all__ = ["NAME", "KeyState", "Ring", "RingKey", "dump_ring", "parse_ring"]

NAME = "ring"
"""What KEY_SOURCE says to select it."""
KeyState = Literal["announced", "current", "earlier", "proving"]


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring.

    Attributes:
        id: how rows name it: the id of the key for sealing that follows from it; of a ``proving`` one its own.
        wrapped: the key, which only ``by`` opens.
        by: what wrapped it: ``secret`` and the id of the key, or ``service`` and its name, with a blank between.
        since: from when on it has its state.
        purpose: of a ``proving`` one: what it proves; ``""``: it serves all purposes.
    """

    id: str
    state: KeyState
    wrapped: str = field(repr=False)
    by: str
    made_at: datetime
    since: datetime
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys of one gateway.

    Attributes:
        id: told to whatever wraps, so that a key opens in its own ring only.
        version: one more with every change; who has seen a version takes no older one.
        keys: oldest first.
        retired: keys that are gone, and when each went.
    """

    id: str
    version: int
    keys: tuple[RingKey, ...]
    retired: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def current(self) -> RingKey | None:
        """Today's key; None before the first one was announced to all."""
        return next((key for key in self.keys if key.state == "current"), None)

    @property
    def announced(self) -> RingKey | None:
        """The key that is about to be today's."""
        return next((key for key in self.keys if key.state == "announced"), None)

    def find(self, key_id: str, purpose: str = "") -> RingKey | None:
        """The key of that name."""
        return next((key for key in self.keys if (key.id, key.purpose) == (key_id, purpose)), None)

    def with_key(self, key: RingKey) -> Ring:
        """The ring with one more key."""
        return self._changed([*self.keys, key])

    def promoted(self, now: datetime) -> Ring:
        """The ring with the announced key as today's."""
        after: dict[KeyState, KeyState] = {"announced": "current", "current": "earlier"}
        keys = [replace(key, state=after[key.state], since=now) if key.state in after else key for key in self.keys]
        return self._changed(keys)

    def without(self, key_id: str, now: datetime) -> Ring:
        """The ring without an earlier key."""
        kept = [key for key in self.keys if (key.id, key.purpose) != (key_id, "")]
        return replace(self._changed(kept), retired={**self.retired, key_id: now})

    def rewrapped(self, keys: Iterable[RingKey]) -> Ring:
        """The ring with the same keys, wrapped anew."""
        return self._changed(keys)

    def _changed(self, keys: Iterable[RingKey]) -> Ring:
        return replace(self, keys=tuple(keys), version=self.version + 1)


def dump_ring(ring: Ring) -> str:
    """The ring as text: the same for the same ring."""
    keys = [asdict(key) | {"made_at": key.made_at.isoformat(), "since": key.since.isoformat()} for key in ring.keys]
    retired = {name: at.isoformat() for name, at in ring.retired.items()}
    whole = {"id": ring.id, "version": ring.version, "keys": keys, "retired": retired}
    return json.dumps(whole, separators=(",", ":"), sort_keys=True)


def parse_ring(text: str) -> Ring:
    """Read what ``dump_ring`` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        whole = json.loads(text)
        keys = tuple(_parse_key(each) for each in whole["keys"])
        retired = {str(name): _moment(at) for name, at in whole["retired"].items()}
        ring = Ring(str(whole["id"]), int(whole["version"]), keys, retired)
    except (TypeError, KeyError, AttributeError) as exc:
        raise ValueError(f"no key ring: {type(exc).__name__}") from exc
    if sum(key.state == "current" for key in keys) > 1 or sum(key.state == "announced" for key in keys) > 1:
        raise ValueError("no key ring: two keys are today's")
    return ring


def _parse_key(told: Mapping[str, str]) -> RingKey:
    state = next((each for each in get_args(KeyState) if each == told["state"]), None)
    if state is None:
        raise ValueError(f"no key ring: a key is {told['state']!r}")
    return RingKey(
        id=str(told["id"]),
        state=state,
        wrapped=str(told["wrapped"]),
        by=str(told["by"]),
        made_at=_moment(told["made_at"]),
        since=_moment(told["since"]),
        purpose=str(told["purpose"]),
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no key ring: a time without a zone")
    return moment
