"""The serving processes that work on one record store, as each announced itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Instance, KeyValueRecords
from latchpin.workers.instance_names import Whereabouts, locate

__all__ = ["LIFE", "PREFIX", "list_instances"]

PREFIX = "instance:"
LIFE = timedelta(seconds=180)
"""A process that died without a word is believed to be there for so long."""


async def list_instances(kept: KeyValueRecords, clock: Clock) -> Sequence[Instance]:
    """Those that announced themselves lately, by their ids, without those of this machine that died without a word.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    found = await kept.list(PREFIX)
    instances = [_parse(name.removeprefix(PREFIX), text, clock()) for name, text in sorted(found.items())]
    return [each for each in instances if each is not None and locate(each.id, own="") is not Whereabouts.ENDED]


def _parse(id_: str, text: str, now: datetime) -> Instance | None:
    """An entry, or None if it is of a later version's kind or of times that are over."""
    try:
        entry = json.loads(text)
        facts = {str(key): str(value) for key, value in entry["facts"].items()}
        seen_at = datetime.fromisoformat(entry["seen_at"])
        return Instance(id_, str(entry["host"]), facts, seen_at) if seen_at + LIFE > now else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
