"""The steps of a rotation: a key is made and announced, made today's once all have it, and taken out at last."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from latchpin.contracts import Context, DerivedKey

from latchpin_key_ring.keeping import KEY_BYTES
from latchpin_key_ring.live import LiveRing, name_key
from latchpin_key_ring.ring import Ring, RingKey

__all__ = ["announce", "keep_for_proving", "promote", "retire", "wrap_anew"]


async def announce(live: LiveRing, context: Context) -> RingKey:
    """Make a key and announce it; one that was announced and is not today's yet is taken instead.

    Raises:
        UpstreamError, ConfigurationError: the key service does not wrap it; nothing has changed.
        RecordConflict: somebody else has changed the ring meanwhile.
    """
    await live.refresh()
    ring = live.ring or Ring(secrets.token_hex(8), 0, ())
    if ring.announced is not None:
        return ring.announced
    plain, now = secrets.token_bytes(KEY_BYTES), context.clock()
    bare = RingKey(name_key(plain), "announced", "", "", now, now)
    key = await live.keeper.wrap(ring.id, bare, plain)
    await _write(live, ring.with_key(key))
    return key


async def promote(live: LiveRing, context: Context) -> bool:
    """Make the announced key today's if all have it. Whether no key is announced any more.

    Raises:
        RecordConflict: somebody else has changed the ring meanwhile.
    """
    await live.refresh()
    if live.ring is None or live.ring.announced is None:
        return True
    await live.say()
    if await live.behind():
        return False
    await _write(live, live.ring.promoted(context.clock()))
    return True


async def retire(live: LiveRing, context: Context, key_id: str) -> None:
    """Take an earlier key out. Whoever calls has seen that nothing stands under it.

    Raises:
        RecordConflict: somebody else has changed the ring meanwhile.
    """
    if live.ring is not None:
        await _write(live, live.ring.without(key_id, context.clock()))


async def keep_for_proving(live: LiveRing, context: Context, keys: Iterable[DerivedKey], purpose: str) -> int:
    """Keep keys that signed something, for proving it alone, in so far as the ring does not have them. How many.

    Raises:
        RecordConflict: somebody else has changed the ring meanwhile.
    """
    ring, now, kept = live.ring, context.clock(), 0
    if ring is None:
        return 0
    for key in keys:
        if ring.find(key.id, purpose) is None:
            bare = RingKey(key.id, "proving", "", "", now, now, purpose)
            ring = ring.with_key(await live.keeper.wrap(ring.id, bare, key.key))
            kept += 1
    if kept:
        await _write(live, ring)
    return kept


async def wrap_anew(live: LiveRing) -> bool:
    """Wrap and sign the ring by what wraps and signs today. Whether anything had to be done.

    Raises:
        RecordConflict: somebody else has changed the ring meanwhile.
    """
    await live.refresh()
    ring, by = live.ring, live.keeper.wraps_by
    if ring is None or (live.keeper.signed_by_today and all(key.by == by for key in ring.keys)):
        return False
    keys = [
        key if key.by == by else await live.keeper.wrap(ring.id, key, await live.keeper.unwrap(ring.id, key))
        for key in ring.keys
    ]
    await _write(live, ring.rewrapped(keys))
    return True


async def _write(live: LiveRing, ring: Ring) -> None:
    await live.keeper.write(ring)
    await live.take(ring)
    await live.say()
