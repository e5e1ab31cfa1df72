"""The end of one proof alone, such as a grant: what is under way for callers who stand on it ends at every worker.

It is one note for each proof, under a hash of its name, for as long as some worker may not have looked yet
(``latchpin.identity.departures``). New requests are refused by those who keep the proof.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from latchpin.contracts import KeyValueRecords
from latchpin.identity.revocations import renew_stamp

__all__ = ["end_proof", "forget_ended_proof", "name_proof", "read_ended_proofs", "read_proof_stamp"]

_STAMP = "ended-stamp-proof"
_PREFIX = "ended-proof:"
_TOLD_FOR = timedelta(minutes=5)
"""Every worker looks many times in that time, or serves nobody any more."""


async def end_proof(kept: KeyValueRecords, name: str, now: datetime) -> None:
    """Let all that is under way end, at every worker within a second, whose caller stands on ``name``.

    New requests are for others to refuse: whoever keeps the proof ends it too. A name is used for one proof only, or
    ``forget_ended_proof`` is told that it is another one's now.

    Args:
        kept: the small values of the record store.
        name: what it is called in ``Caller.stands_on``.
        now: the time.

    Raises:
        BackendUnavailable: do it again.
    """
    await kept.put(name_proof(name), "1", expires_at=now + _TOLD_FOR)
    await renew_stamp(kept, _STAMP)


async def forget_ended_proof(kept: KeyValueRecords, name: str) -> None:
    """Let what begins from now on go on: ``name`` is that of a new proof, in the place of one that ended.

    Raises:
        BackendUnavailable: do it again, or what is under way goes on ending for some minutes.
    """
    await kept.take(name_proof(name))


def name_proof(name: str) -> str:
    """Under which name it is kept that a proof ended."""
    return f"{_PREFIX}{hashlib.sha256(name.encode()).hexdigest()}"


async def read_ended_proofs(kept: KeyValueRecords) -> frozenset[str]:
    """The proofs that ended in the last minutes, each by ``name_proof``."""
    return frozenset(await kept.list(_PREFIX))


async def read_proof_stamp(kept: KeyValueRecords) -> str | None:
    """Another text than before where any proof was ended since."""
    return await kept.get(_STAMP)
