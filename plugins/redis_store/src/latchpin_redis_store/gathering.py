"""Brings the records that one server kept into the one slot of a cluster, once.

``redis-cli --cluster import`` copies keys under the names they had. Each is written before its old key is removed, what
stands under the new name is left as it is, and the gateways come last: a start that is cut short goes on where it
ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from latchpin_redis_store.connection import Commands
from latchpin_redis_store.keys import PLAIN

__all__ = ["gather_records"]

AT_ONCE = 200


async def gather_records(commands: Commands) -> None:
    """Do it, if this is a cluster and anything is there under a server's names.

    Raises:
        BackendUnavailable: Redis cannot be asked; what was moved is moved.
    """
    old, new = PLAIN, commands.keys
    if new == old or not await commands.ask("EXISTS", old.gateways):
        return
    ids = [id_.decode() for id_ in await commands.ask("HKEYS", old.gateways)]
    for id_ in ids:
        for kind in ("tokens", "issuers"):
            await _move_hash(commands, old.below(id_, kind), new.below(id_, kind))
        await _move_sorted(commands, old.below(id_, "labelled"), new.below(id_, "labelled"))
    for before, after in zip((old.renewals, *old.counted), (new.renewals, *new.counted), strict=True):
        await _move_sorted(commands, before, after)
    await _move_hash(commands, old.clients, new.clients)
    await _move_hash(commands, old.gateways, new.gateways)


async def _move_hash(commands: Commands, old: str, new: str) -> None:
    pairs = await commands.ask("HGETALL", old)
    await commands.ask_all([("HSETNX", new, *pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)])
    await commands.ask("UNLINK", old)


async def _move_sorted(commands: Commands, old: str, new: str) -> None:
    pairs = await commands.ask("ZRANGE", old, 0, -1, "WITHSCORES")
    members, scores = pairs[::2], pairs[1::2]
    for first in range(0, len(members), AT_ONCE):
        words: Sequence[bytes] = [
            word
            for pair in zip(scores[first : first + AT_ONCE], members[first : first + AT_ONCE], strict=True)
            for word in pair
        ]
        await commands.ask("ZADD", new, "NX", *words)
    await commands.ask("UNLINK", old)
