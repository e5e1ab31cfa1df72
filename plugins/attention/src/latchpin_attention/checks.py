"""What ``latchpin doctor`` says of connections that need their person."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.model import COMPANY
from latchpin.sdk.stores import scan_all

from latchpin_attention.book import NEEDS, STANDING
from latchpin_attention.need import parse_need

__all__ = ["check_needs"]


async def check_needs(context: CheckContext) -> Sequence[Finding]:
    """How many there are, as of the last look."""
    if context.records is None:
        return []
    kept = scan_all(context.records.collection(NEEDS), "state", STANDING)
    needs = [parse_need(each.body["need"]) async for each in kept]
    broken = sum(each.broken for each in needs)
    shared = sorted({each.gateway_name for each in needs if each.owner == COMPANY and each.broken})
    if shared:
        names = ", ".join(name.encode("unicode_escape").decode() for name in shared[:5])
        return [
            Finding(
                Severity.FAILURE,
                f"What all share does not work at {len(shared)} gateway{'' if len(shared) == 1 else 's'}",
                names,
                "An administrator connects it again.",
                "latchpin attention list",
            )
        ]
    if not needs:
        return [Finding(Severity.OK, "No connection needs its person")]
    title = f"{len(needs)} connection{'' if len(needs) == 1 else 's'} need{'s' if len(needs) == 1 else ''} a person"
    detail = f"{broken} do not work; the others end soon."
    return [Finding(Severity.OK, title, detail, command="latchpin attention list")]
