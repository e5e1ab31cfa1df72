"""Steps of a rotation that count first: what is still needed is kept, and nothing is lost unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latchpin.sdk.commands import OPERATOR

from latchpin_key_ring.counting import count_rows, uses_of
from latchpin_key_ring.errors import KeyInUse, KeyRingUnusable
from latchpin_key_ring.facts import KEY_RETIRED
from latchpin_key_ring.live import SEALING, LiveRing
from latchpin_key_ring.reporting import KeyReport, report_on, total
from latchpin_key_ring.rotating import keep_for_proving, retire

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["keep_proofs", "require_nothing_lost", "take_out"]


async def require_nothing_lost(application: Application) -> None:
    """There is no ring: a first one, or one that somebody took away. Under whose keys are the rows?"""
    context = application.services.context
    counts = await count_rows(context, uses_of(application.services))
    lost = [key for key in report_on(context, None, counts).keys if key.state == "unknown" and key.id]
    if lost:
        rows = sum(total(key.rows) for key in lost)
        raise KeyRingUnusable(
            f"there is no key ring, and {rows:,} rows are sealed under keys that are not here: "
            f"{', '.join(key.id for key in lost[:5])}",
            remedy="Put the record store back from a backup that has the ring, or the earlier secret into "
            "AUTH_ENCRYPTION_SECRETS_OLD. Where they are lost: 'latchpin keys rotate --begin-anew'.",
        )


async def keep_proofs(application: Application, live: LiveRing) -> None:
    """Keep in the ring what proves what the settings' earlier secrets signed."""
    context = application.services.context
    counts = await count_rows(context, (use for use in uses_of(application.services) if use.purpose != SEALING))
    for purpose in {purpose for purpose, _ in counts.proved}:
        own = [key for key in context.own_keys(purpose) if counts.signed(purpose, key.id)]
        await keep_for_proving(live, context, own, purpose)


async def take_out(application: Application, live: LiveRing, key: KeyReport) -> None:
    """Take a key out of the ring, and keep what proves what it signed.

    Raises:
        KeyInUse: something stands under it.
    """
    context = application.services.context
    held = None if live.ring is None else live.ring.find(key.id)
    counts = await count_rows(context, uses_of(application.services))
    if held is None or counts.under(key.id):
        raise KeyInUse(f"{key.id}: something was sealed under it meanwhile")
    for purpose, name in list(counts.proved):
        derived = live.derived(held, purpose)
        if derived is not None and derived.id == name:
            await keep_for_proving(live, context, [derived], purpose)
    await retire(live, context, key.id)
    await application.services.activity.tell(KEY_RETIRED, actor=OPERATOR.email, key=key.id)
