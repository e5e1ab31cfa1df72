"""``latchpin doctor``: finds what is wrong, says how to mend it, and mends some of it on request."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.contracts import Fix
from latchpin.errors import LatchpinError
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.commands import err, out, print_json, run, say

from latchpin_doctor.terminal import print_report

if TYPE_CHECKING:
    from latchpin_doctor.examination import Examination
    from latchpin_doctor.report import Report

app = typer.Typer()

ROUNDS = 3
"""What was mended may uncover something else that can be mended: a migrated database shows its leftovers."""


@app.command()
def doctor(
    gateway: Annotated[str | None, typer.Option(help="Only this gateway, by id or name.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no other servers.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Migrate, purge and re-register, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings, stores, instances and gateways, and say how to mend what is wrong.

    Exits with 1 if anything is a failure. Nothing is changed without --fix.
    """
    logging.getLogger("latchpin").addHandler(logging.NullHandler())  # what it would say is in the findings
    report = run(_Doctor(gateway, offline, fix, yes).work())
    if as_json:
        print_json(report.document())
    else:
        print_report(report, out)
    if report.failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Doctor:
    gateway: str | None
    offline: bool
    fix: bool
    yes: bool

    async def work(self) -> Report:
        """Check; with --fix, mend and check again, until nothing new can be mended."""
        from latchpin_doctor.examination import open_examination  # noqa: PLC0415  the help does without the gateway

        tried: set[str] = set()
        for _ in range(ROUNDS):
            async with open_examination(Plugins(), gateway_id=self.gateway, offline=self.offline) as examination:
                report = await _examine(examination)
                fixes = [fix for fix in report.fixes if fix.what not in tried]
                if not (self.fix and fixes and self._allowed(fixes)):
                    return report
                tried |= {fix.what for fix in fixes}
                for fix in fixes:
                    await _apply(fix)
        async with open_examination(Plugins(), gateway_id=self.gateway, offline=self.offline) as examination:
            return await _examine(examination)

    def _allowed(self, fixes: list[Fix]) -> bool:
        say("This can be mended now:")
        for fix in fixes:
            say(f"  - {fix.what}")
        if self.yes:
            return True
        if sys.stdin.isatty():
            return typer.confirm("Do it?", err=True)
        say("Nothing was changed: nobody can be asked here. Run it again with --fix --yes.")
        return False


async def _examine(examination: Examination) -> Report:
    from latchpin_doctor.running import examine  # noqa: PLC0415  as above

    with err.status("Looking ...") as status:
        return await examine(examination, progress=lambda title: status.update(f"Looking at {title} ..."))


async def _apply(fix: Fix) -> None:
    """Mend one thing; one that fails does not keep the others from it."""
    try:
        say(f"{fix.what} Done: {await fix.apply()}")
    except LatchpinError as exc:
        say(f"{fix.what} Failed: {exc.detail or exc.public} {exc.for_operator()}")
    except Exception as exc:  # noqa: BLE001  a plugin's fix may fail in any way
        say(f"{fix.what} Failed: {type(exc).__name__}")
