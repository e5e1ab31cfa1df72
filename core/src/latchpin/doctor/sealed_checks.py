"""Can what is stored sealed be opened with the secrets in the settings?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from latchpin.clients.secrets import open_configured_secret, open_registered_secret
from latchpin.contracts import Finding, Severity
from latchpin.doctor.examination import Examination
from latchpin.errors import Unsealable
from latchpin.tokens.sealing import open_token

__all__ = ["check_sealed", "opens"]

RecordT = TypeVar("RecordT")

AT_ONCE = 200


async def check_sealed(context: Examination) -> Sequence[Finding]:
    """How many tokens and client secrets no key opens."""
    if context.application is None:
        return []
    services = context.application.services
    records, cipher = services.records, services.cipher
    closed = {
        "users' tokens": await _closed(await records.tokens.list(), lambda token: open_token(cipher, token)),
        "registered clients": await _closed(
            await records.clients.list(), lambda one: open_registered_secret(one, cipher)
        ),
        "entered client secrets": await _closed(
            await records.gateways.list(), lambda gateway: open_configured_secret(gateway, cipher)
        ),
    }
    counts = {what: count for what, count in closed.items() if count}
    if not counts:
        return [Finding(Severity.OK, "Every stored secret opens with the secrets in these settings")]
    return [
        Finding(
            Severity.FAILURE,
            "Stored secrets open with no key",
            f"Sealed under an AUTH_ENCRYPTION_SECRET that is gone: {_listed(counts)}.",
            "Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD and restart; else people authorize again, "
            "and clients are registered or entered anew.",
            cause=Unsealable.code,
        )
    ]


def opens(record: RecordT, open_it: Callable[[RecordT], object]) -> bool:
    """Whether a key we have opens what is sealed in ``record``."""
    try:
        open_it(record)
    except Unsealable:
        return False
    return True


async def _closed(records: Iterable[RecordT], open_it: Callable[[RecordT], object]) -> int:
    count = 0
    for number, record in enumerate(records, start=1):
        count += not opens(record, open_it)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)  # a gateway that serves goes on in between
    return count


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())
