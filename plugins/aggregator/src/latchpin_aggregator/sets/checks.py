"""Looks at the sets for ``latchpin doctor``."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.sdk.stores import scan_all

from latchpin_aggregator.sets.directory import SETS
from latchpin_aggregator.sets.gateway_set import GatewaySet

__all__ = ["check_sets"]


async def check_sets(context: CheckContext) -> Sequence[Finding]:
    """Find sets behind whose URL nothing stands: their gateways were removed, or none was ever named."""
    if context.records is None:
        return [Finding(Severity.SKIPPED, "Sets were not looked at", "the record store could not be opened")]
    there = {gateway.id for gateway in await context.records.gateways.list()}
    sets = [GatewaySet.read(held) async for held in scan_all(context.records.collection(SETS))]
    empty = [each for each in sets if not there & set(each.gateways)]
    if not empty:
        return [Finding(Severity.OK, "Each set has a gateway")] if sets else []
    return [
        Finding(
            Severity.WARNING,
            f"The set {each.slug} has no gateway",
            "whoever enters its URL in a client sees no server",
            "Name gateways for it, or remove it.",
            f"latchpin sets change {each.slug} --gateway NAME",
        )
        for each in empty
    ]
