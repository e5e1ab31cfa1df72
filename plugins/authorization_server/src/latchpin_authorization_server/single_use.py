"""What may be used once, for all workers."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from latchpin.contracts import KeyValueRecords

__all__ = ["LONGEST_NAME", "use_up"]

LONGEST_NAME = 1_000
"""Characters of a name that is remembered, such as a ``jti``."""


async def use_up(kept: KeyValueRecords, kind: str, *named: str, until: datetime) -> bool:
    """Whether nobody used it before; from now until ``until`` everybody is told False.

    Args:
        kept: remembers what was used, by its hash.
        kind: what it is.
        named: who made it, and what it is called there.
        until: when it cannot be used any more for another reason.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    digest = hashlib.sha256("\n".join(named).encode("utf-8", "backslashreplace")).hexdigest()
    ours = secrets.token_urlsafe(16)
    return await kept.put(f"{kind}:{digest}", ours, expires_at=until) == ours
