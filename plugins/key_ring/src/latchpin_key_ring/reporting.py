"""What is to be said of each key: where it comes from, what stands under it, and whether it can go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Context

from latchpin_key_ring.counting import Counts
from latchpin_key_ring.live import SEALING, LiveRing
from latchpin_key_ring.ring import Ring, RingKey

__all__ = ["SETTLES", "KeyReport", "Report", "report_on", "total"]

SECRET, EARLIER_SECRETS = "AUTH_ENCRYPTION_SECRET", "AUTH_ENCRYPTION_SECRETS_OLD"
SETTLES = timedelta(seconds=30)
"""How much longer than STATE_TTL_SECONDS a key is kept that no longer seals: what it sealed last is under way."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One key.

    Attributes:
        id: as rows name it.
        where: where it comes from, for people.
        state: ``today's``, ``announced``, ``earlier`` or ``unknown``.
        since: from when on, where the ring knows it.
        rows: what is sealed under it, by table.
        signed: what it signed, by table.
        verdict: what is to be done, in one sentence; ``""``: nothing.
        can_go: whether it can be taken out now.
        settling: it was today's until a moment ago: that something needs it is as it should be.
    """

    id: str
    where: str
    state: str
    since: datetime | None
    rows: Mapping[str, int]
    signed: Mapping[str, int]
    verdict: str = ""
    can_go: bool = False
    settling: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All keys, and all tables that were counted with all their rows."""

    keys: Sequence[KeyReport]
    tables: Mapping[str, int]
    strangers: int = 0
    resealing: int | None = None

    def find(self, key_id: str) -> KeyReport | None:
        """The key of that name."""
        return next((key for key in self.keys if key.id == key_id), None)

    @property
    def to_reseal(self) -> int:
        """Rows that are sealed under another key than today's."""
        return sum(total(key.rows) for key in self.keys if key.state != "today's")


def total(rows: Mapping[str, int]) -> int:
    """How many in all tables."""
    return sum(rows.values())


def report_on(
    context: Context, live: LiveRing | None, counts: Counts, *, strangers: int = 0, resealing: int | None = None
) -> Report:
    """Put together what is known.

    Args:
        context: what the gateway is opened with.
        live: the ring; None with KEY_SOURCE=settings.
        counts: what stands under which key.
        strangers: serving processes with another AUTH_ENCRYPTION_SECRET.
        resealing: how many rows a process that is sealing anew has done.
    """
    shut = live is not None and live.fault is not None
    of_ring = _of_closed(live, counts) if shut else _of_ring(context, live, counts)
    keys = [*of_ring, *_of_settings(context, live, counts, strangers)]
    known = {key.id for key in keys}
    where, verdict = ("not known", _shut) if shut else ("nowhere", _lost)
    keys += [
        KeyReport(name, where, "unknown", None, counts.under(name), {}, verdict(total(rows)))
        for name, rows in sorted(counts.sealed.items())
        if name not in known
    ]
    return Report(keys, dict(counts.tables), strangers, resealing)


def _of_closed(live: LiveRing | None, counts: Counts) -> list[KeyReport]:
    """The keys of a ring that does not open: what it says of them holds, and none of them can go."""
    if live is None or live.closed is None:
        return []
    return [
        KeyReport(key.id, "the key ring", _state(key), key.since, rows, {}, _shut(total(rows)) if rows else "")
        for key in live.closed.keys
        if not key.purpose
        for rows in (counts.under(key.id),)
    ]


def _state(key: RingKey) -> str:
    return "today's" if key.state == "current" else key.state


def _of_ring(context: Context, live: LiveRing | None, counts: Counts) -> list[KeyReport]:
    if live is None or live.ring is None:
        return []
    found = []
    for key in live.ring.keys:
        if key.purpose:
            continue
        signed: dict[str, int] = {}
        for purpose, name in counts.proved:
            derived = live.derived(key, purpose)
            if derived is not None and derived.id == name:
                signed |= counts.signed(purpose, name)
        rows = counts.under(key.id)
        verdict, can_go, until = "", False, _settled_at(context, key)
        if key.state == "announced":
            verdict = (
                "It becomes today's as soon as every process has it; 'latchpin keys rotate' says who is waited for."
            )
        elif key.state == "earlier":
            verdict = _needed(rows, counts, key.id)
            if not verdict and context.clock() < until:
                verdict = f"Nothing is sealed under it; authorizations under way may need it until {_at(until)}."
            elif not verdict:
                verdict, can_go = f"Nothing is sealed under it: latchpin keys retire {key.id}", True
        settling = key.state == "earlier" and context.clock() < until
        found.append(KeyReport(key.id, "the key ring", _state(key), key.since, rows, signed, verdict, can_go, settling))
    return found


def _settled_at(context: Context, key: RingKey) -> datetime:
    """When whatever was under way as ``key`` came to its state has ended."""
    return key.since + context.state_ttl + SETTLES


def _of_settings(context: Context, live: LiveRing | None, counts: Counts, strangers: int) -> list[KeyReport]:
    ring = None if live is None else live.ring
    shut = live is not None and live.fault is not None  # then there is one, in whatever state
    begun = shut or (ring is not None and ring.current is not None)
    found = []
    for number, key in enumerate(context.own_keys(SEALING)):
        signed: dict[str, int] = {}
        proves = True
        for purpose, name in counts.proved:
            if context.own_keys(purpose)[number].id == name:
                signed |= counts.signed(purpose, name)
                proves = proves and ring is not None and ring.find(name, purpose) is not None
        rows = counts.under(key.id)
        if number == 0:
            where, state = SECRET, "earlier" if begun else "today's"
            verdict = "" if not begun else _needed(rows, counts, key.id)
            settling = begun and context.clock() < _first_settled_at(context, ring)
            found.append(KeyReport(key.id, where, state, None, rows, signed, verdict, settling=settling))
            continue
        verdict, can_go = _may_go(live, counts, key.id, strangers), False
        if not verdict:
            can_go = proves
            verdict = _gone(context) if proves else _proves(total(signed), ring is not None)
        where = f"{EARLIER_SECRETS}, word {number}"
        found.append(KeyReport(key.id, where, "earlier", None, rows, signed, verdict, can_go))
    return found


def _first_settled_at(context: Context, ring: Ring | None) -> datetime:
    """When what the ring's first key took over from AUTH_ENCRYPTION_SECRET has settled; long ago for a later one."""
    first = None if ring is None or ring.retired else ring.keys[0]
    alone = first is not None and first.state == "current"
    return _settled_at(context, first) if first is not None and alone else datetime.min.replace(tzinfo=UTC)


def _may_go(live: LiveRing | None, counts: Counts, key_id: str, strangers: int) -> str:
    """Why an earlier secret has to stay; ``""`` if it has not, but for what it signed."""
    if strangers:
        return f"{_count(strangers, 'running process', 'running processes')} started with another secret: restart them."
    needed = _needed(counts.under(key_id), counts, key_id)
    if needed:
        return needed
    if live is not None and live.fault is not None:
        return "The key ring may be wrapped under it: leave it until the ring can be used."
    if live is not None and live.ring is not None:
        by = live.keeper.wraps_by
        if not live.keeper.signed_by_today or any(key.by != by for key in live.ring.keys):
            return "The key ring is wrapped under it: 'latchpin keys reseal' wraps it anew."
    return ""


def _needed(rows: Mapping[str, int], counts: Counts, key_id: str) -> str:
    count = total(rows)
    if not count:
        return ""
    last = counts.last_at.get(key_id)
    by_itself = "" if last is None else f" What cannot be sealed anew is gone at {_at(last)}."
    return f"{_count(count, 'row is', 'rows are')} sealed under it: 'latchpin keys reseal' seals them anew.{by_itself}"


def _gone(context: Context) -> str:
    seconds = round((context.state_ttl + SETTLES).total_seconds())
    return (
        f"Nothing is sealed under it: unless it is to be the next secret, take it out of {EARLIER_SECRETS}, "
        f"{seconds} s after the last process was started with the new one."
    )


def _proves(count: int, ring: bool) -> str:
    entries = _count(count, "entry", "entries")
    if ring:
        return f"It signed {entries} of the audit log: 'latchpin keys reseal' keeps what proves them in the ring."
    return (
        f"Nothing is sealed under it. It signed {entries} of the audit log, which 'latchpin audit verify' cannot prove "
        "without it; KEY_SOURCE=ring keeps what proves them."
    )


def _shut(count: int) -> str:
    return f"{_count(count, 'row opens', 'rows open')} with no key until the key ring can be used again."


def _lost(count: int) -> str:
    return (
        f"{_count(count, 'row opens', 'rows open')} with no key: put the secret that is missing into "
        f"{EARLIER_SECRETS}; else people authorize again."
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
