"""What ``latchpin doctor`` says of rotations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.hooks import KEY_USES
from latchpin.sdk.settings import CoreSettings

from latchpin_key_ring.counting import count_rows
from latchpin_key_ring.live import SEALING, live_ring
from latchpin_key_ring.reporting import report_on
from latchpin_key_ring.ring import NAME
from latchpin_key_ring.tending import count_strangers

__all__ = ["check_rotation"]

_LONG = timedelta(minutes=5)
_STATUS = "latchpin keys status"


async def check_rotation(context: CheckContext) -> Sequence[Finding]:
    """Whether every rotation has come to its end, and what can be taken out; nothing where there is one key."""
    opened, settings = context.opened, context.load(CoreSettings)
    if opened is None:
        return []
    live = await live_ring(opened) if settings.key_source == NAME else None
    ring = None if live is None else live.ring
    findings = []
    if live is not None and ring is None:
        title = "KEY_SOURCE=ring, and no ring was begun: keys follow from AUTH_ENCRYPTION_SECRET"
        findings.append(Finding(Severity.WARNING, title, remedy="Begin one.", command="latchpin keys rotate"))
    if len(opened.own_keys(SEALING)) == 1 and (ring is None or len(ring.keys) == 1):
        return findings
    counts = await count_rows(opened, Plugins().values(KEY_USES))
    report = report_on(opened, live, counts, strangers=count_strangers(opened, context.instances))
    announced = None if ring is None else ring.announced
    if announced is not None and context.clock() > announced.since + _LONG:
        title = f"Key {announced.id} was announced, and not every process has it"
        findings.append(
            Finding(Severity.WARNING, title, remedy="See who is waited for.", command="latchpin keys rotate")
        )
    for key in report.keys:
        if key.state != "earlier" or not key.verdict:
            continue
        title = f"Key {key.id} ({key.where}) "
        if key.can_go:  # what plugins seal without naming it, only the command sees
            title += "seems to be needed no more"
            retire = f"latchpin keys retire {key.id}"
            findings.append(Finding(Severity.OK, title, remedy="Prove it, and take it out.", command=retire))
        elif key.settling:
            title += "was today's until a moment ago"
            findings.append(Finding(Severity.OK, title, key.verdict, command=_STATUS))
        else:
            title += "is still needed"
            findings.append(Finding(Severity.WARNING, title, key.verdict, "See what stands under it.", _STATUS))
    return findings or [Finding(Severity.OK, "Everything is sealed under today's key")]
