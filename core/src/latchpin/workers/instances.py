"""The serving processes that work on one record store, as each announced itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Instance, KeyValueRecords

__all__ = ["LIFE", "PREFIX", "list_instances"]

PREFIX = "instance:"
LIFE = timedelta(seconds=180)
"""A process that died without a word is believed to be there for so long."""


async def list_instances(kept: KeyValueRecords, clock: Clock) -> Sequence[Instance]:
    """Those that announced themselves lately, by their ids.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    found = await kept.list(PREFIX)
    instances = [_parse(name.removeprefix(PREFIX), text, clock()) for name, text in sorted(found.items())]
    return [instance for instance in instances if instance is not None]


def _parse(id_: str, text: str, now: datetime) -> Instance | None:
    """An entry, or None if it is of a later version's kind or of times that are over."""
    try:
        entry = json.loads(text)
        facts = {str(key): str(value) for key, value in entry["facts"].items()}
        seen_at = datetime.fromisoformat(entry["seen_at"])
        return Instance(id_, str(entry["host"]), facts, seen_at) if seen_at + LIFE > now else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
