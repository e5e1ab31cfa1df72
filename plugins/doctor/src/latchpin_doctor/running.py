"""Runs the checks: each by itself, with an end, so that one that fails or hangs is a finding like others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from latchpin.contracts import Check, Finding, Severity
from latchpin.errors import LatchpinError
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.hooks import CHECKS

from latchpin_doctor.examination import Examination, look_at
from latchpin_doctor.report import Checked, Report

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["examine", "run_checks"]

OWN = "latchpin-doctor"
LONGEST_SECONDS = 120.0
"""After so long a check is given up; what it asks has shorter deadlines of its own."""

Progress = Callable[[str], None]


def _silent(title: str) -> None:
    """Tell nobody."""


async def run_checks(
    application: Application,
    *,
    plugins: Plugins | None = None,
    gateway_id: str | None = None,
    offline: bool = False,
    progress: Progress = _silent,
) -> Report:
    """Check a gateway that is running in this process.

    Args:
        application: the gateway.
        plugins: what is installed; by default it is looked up.
        gateway_id: only this one of its gateways, by id or name.
        offline: ask no other servers.
        progress: is told what is being looked at.
    """
    examination = await look_at(application, plugins or Plugins(), gateway_id=gateway_id, offline=offline)
    return await examine(examination, progress=progress)


async def examine(
    examination: Examination, *, progress: Progress = _silent, longest: float = LONGEST_SECONDS
) -> Report:
    """Run every check, doctor's own first, one after the other. It does not raise for what they meet."""
    offers, _ = examination.plugins.offers_and_errors(CHECKS)
    checked: list[Checked] = []
    for offer in sorted(offers, key=lambda offer: offer.plugin.distribution != OWN):
        check = offer.value
        progress(check.title)
        checked.append(Checked(check.name, check.group, await _run(check, examination, longest)))
    return Report(examination.clock(), tuple(each for each in checked if each.findings))


async def _run(check: Check, examination: Examination, longest: float) -> tuple[Finding, ...]:
    try:
        async with asyncio.timeout(longest):
            return tuple(await check.run(examination))
    except TimeoutError:
        detail, remedy, cause = f"It was given up after {longest:g} s.", "", ""
    except LatchpinError as exc:
        detail, remedy, cause = exc.detail or exc.public, exc.for_operator(), exc.code
    except Exception as exc:  # noqa: BLE001  a plugin's check may fail in any way; the others go on
        detail, remedy, cause = f"{type(exc).__name__} was raised in the check '{check.name}'.", "", ""
    finding = Finding(Severity.FAILURE, f"Could not be checked: {check.title}", detail, remedy, cause=cause)
    return (finding,)
