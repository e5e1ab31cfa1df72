"""Would authorizing at each gateway work?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from latchpin.contracts import Finding, Severity
from latchpin.model import Gateway
from latchpin.sdk.gateway import find_named

from latchpin_doctor.examination import Examination
from latchpin_doctor.gateway_findings import examine_gateway

__all__ = ["check_gateways"]

AT_ONCE = 8


async def check_gateways(context: Examination) -> Sequence[Finding]:
    """Each gateway by itself, a few at a time."""
    application = context.application
    if application is None:
        return []
    everyone = await application.services.records.gateways.list()
    wanted = list(everyone) if context.gateway_id is None else find_named(everyone, context.gateway_id)
    if not wanted:
        return [_none(context.gateway_id)]
    limit = asyncio.Semaphore(AT_ONCE)

    async def check(gateway: Gateway) -> list[Finding]:
        async with limit:
            findings = await examine_gateway(application, gateway, offline=context.offline)
        return [replace(each, title=f"{gateway.name[:64]}: {each.title}") for each in findings]

    found = await asyncio.gather(*(check(gateway) for gateway in wanted))
    return [finding for findings in found for finding in findings]


def _none(wanted: str | None) -> Finding:
    if wanted is None:
        return Finding(
            Severity.OK, "There is no gateway yet", command="latchpin gateways add https://mcp.example.com/mcp"
        )
    return Finding(
        Severity.FAILURE,
        "There is no such gateway",
        f"None has the id or name {wanted[:64]!a}.",
        "Take an id from the list.",
        "latchpin gateways list",
        "not-found",
    )
