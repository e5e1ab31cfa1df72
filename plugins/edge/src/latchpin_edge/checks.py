"""What ``latchpin doctor`` says of the data plane."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.sdk.settings import CoreSettings

from latchpin_edge.settings import EdgeSettings
from latchpin_edge.ways import Detour, Way, find_ways, look_up

__all__ = ["check_ways"]


async def check_ways(context: CheckContext) -> Sequence[Finding]:
    """Which gateways it serves, and why not the others; nothing where there is none."""
    settings, core = context.load(EdgeSettings), context.load(CoreSettings)
    if settings.edge_secret is None:
        return []
    if context.records is None:
        return []
    gateways = await context.records.gateways.list()
    resolve = _take_as_public if context.offline else look_up
    found = await find_ways(gateways, settings, core, resolve=resolve)
    served = sum(isinstance(each, Way) for each in found)
    findings = [Finding(Severity.OK, f"The data plane may serve {served} of {len(found)} gateways")]
    return findings + [
        Finding(Severity.WARNING, f"The proxy serves the gateway {each.gateway_id}: {each.reason}")
        for each in found
        if isinstance(each, Detour)
    ]


async def _take_as_public(_host: str, _port: int) -> Sequence[str]:
    """Where nobody may be asked, not even for an address."""
    return ["192.88.98.1"]
