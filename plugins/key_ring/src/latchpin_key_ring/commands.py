"""``latchpin keys``: what stands under each key, a new key, everything sealed anew, an old key taken out."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.contracts import Context
from latchpin.errors import Conflict, LatchpinError, NotFound, RecordConflict, SettingsError
from latchpin.sdk.commands import OPERATOR, opened, print_json, print_table, run, say

from latchpin_key_ring.counted import keep_proofs, require_nothing_lost, take_out
from latchpin_key_ring.counting import count_rows, uses_of
from latchpin_key_ring.errors import KeyInUse
from latchpin_key_ring.facts import KEY_ROTATED, KEYS_RESEALED
from latchpin_key_ring.live import TOLERANT, LiveRing, live_ring
from latchpin_key_ring.reporting import KeyReport, Report, report_on
from latchpin_key_ring.resealing import Outcome, progress_of, reseal_rows
from latchpin_key_ring.ring import NAME
from latchpin_key_ring.rotating import announce, promote, wrap_anew
from latchpin_key_ring.showing import show_report
from latchpin_key_ring.tending import strangers

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["app"]

app = typer.Typer(
    name="keys", help="Keys: see what stands under each, rotate, seal anew, retire.", no_args_is_help=True
)

UNFINISHED = 1
PATIENCE = 90.0
LOOK, WAIT, _SHOW = 0.2, 1.0, 0.5
"""Seconds: how long processes are waited for; between two looks at them, at the lease, and two lines of progress."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def group() -> None:
    """Keys: see what stands under each, rotate, seal anew, retire."""


# -- status -----------------------------------------------------------------------------------------------


@app.command()
def status(as_json: Json = False) -> None:
    """Show every key, how many rows of each table stand under it, and whether it can go."""

    async def work() -> tuple[Report, LatchpinError | None]:
        async with _opened(tolerant=True) as (application, live):
            return await _report(application, live), None if live is None else live.fault

    report, fault = run(work())
    if as_json:
        told = "" if fault is None else fault.in_full
        print_json({"fault": told, "to_reseal": report.to_reseal, **asdict(report)})
    else:
        show_report(report, usable=fault is None)
    if fault is not None:
        say(f"The key ring cannot be used: {fault.in_full}")
        say(f"  remedy: {fault.for_operator()}")
        raise typer.Exit(UNFINISHED)


async def _report(application: Application, live: LiveRing | None) -> Report:
    services = application.services
    context = services.context
    counts = await count_rows(context, uses_of(services))
    others, resealing = await strangers(application), await progress_of(context)
    return report_on(context, live, counts, strangers=others, resealing=resealing)


# -- rotate -----------------------------------------------------------------------------------------------


@app.command()
def rotate(
    begin_anew: Annotated[
        bool,
        typer.Option("--begin-anew", help="Drop a ring that cannot be used: what was sealed under it is lost."),
    ] = False,
) -> None:
    """Make a new key today's (KEY_SOURCE=ring), once every process has it; then run 'latchpin keys reseal'.

    Nothing has to be restarted. If it is killed, the serving processes go on with it, and so does the next run.
    """

    async def work() -> str:
        async with _opened(tolerant=begin_anew) as (application, live):
            ring = _required(live)
            if begin_anew:
                await _begin_anew(application, ring)
            return await _rotate(application, ring)

    key_id = run(work())
    say("It is today's key. Next: latchpin keys reseal (serving processes do it in the background, too).")
    sys.stdout.write(f"{key_id}\n")


async def _rotate(application: Application, live: LiveRing) -> str:
    context = application.services.context
    if live.ring is None:
        await require_nothing_lost(application)
    key = await announce(live, context)
    say(f"Announced key {key.id}; waiting until every process has it ...")
    end, waited_for = time.monotonic() + PATIENCE, -1
    while not await _promoted(live, context):
        behind = await live.behind()
        if time.monotonic() > end:
            raise Conflict(
                f"{_processes(len(behind))} still not have key {key.id}: {', '.join(each.id for each in behind[:5])}",
                remedy="Look at their logs, or restart them. The key becomes today's by itself once they have it.",
            )
        if len(behind) != waited_for:
            waited_for = len(behind)
            say(f"... {_processes(waited_for)} not have it yet")
        await asyncio.sleep(LOOK)
    await application.services.activity.tell(KEY_ROTATED, actor=OPERATOR.email, key=key.id)
    return key.id


async def _promoted(live: LiveRing, context: Context) -> bool:
    """Whether the announced key is today's; a serving process may be doing it at the same moment."""
    with suppress(RecordConflict):
        return await promote(live, context)
    return False


async def _begin_anew(application: Application, live: LiveRing) -> None:
    await live.keeper.drop()
    live.fault, live.ring, live.closed = None, None, None
    say("Dropped the key ring that was there. What was sealed under it is lost: people authorize again.")
    context = application.services.context
    key = await announce(live, context)
    say(f"Began another ring with key {key.id}.")


def _processes(count: int) -> str:
    return "1 process does" if count == 1 else f"{count} processes do"


# -- reseal -----------------------------------------------------------------------------------------------


@app.command()
def reseal() -> None:
    """Seal everything anew under today's key, beside a gateway that serves; prove by counts that nothing is left.

    If it is killed, run it again: what is done is done. Exits with 1 if something is left.
    """

    async def work() -> tuple[Report, Outcome]:
        async with _opened() as (application, live):
            await _require_one_secret(application, live)
            if live is not None:
                await wrap_anew(live)
            before = await _report(application, live)
            say(f"{before.to_reseal:,} rows are to be sealed anew.")
            outcome = await _reseal_in_turn(application, before.to_reseal)
            if live is not None:
                await keep_proofs(application, live)
            if outcome.done:
                todays = application.services.cipher.key_id
                told = {"key": todays, "rows": str(outcome.done)}
                await application.services.activity.tell(KEYS_RESEALED, actor=OPERATOR.email, **told)
            return await _report(application, live), outcome

    report, outcome = run(work())
    say(f"Sealed {outcome.done:,} rows anew.")
    for what, rows in (
        ("opens with no key", outcome.closed),
        ("cannot be sealed anew and has to expire", outcome.left),
    ):
        for table, count in rows.items():
            say(f"{count:,} of {table}: {what}")
    show_report(report)
    if report.to_reseal:
        raise typer.Exit(UNFINISHED)


async def _reseal_in_turn(application: Application, rows: int) -> Outcome:
    """Wait for another process that does it, or that was killed: its lease ends by itself. Then do the rest."""
    progress = _Progress(rows)
    try:
        return await reseal_rows(application, tell=progress)
    except Conflict:
        say("Another process is sealing everything anew; waiting for its end ...")
    outcome: Outcome | None = None
    while outcome is None:
        await asyncio.sleep(WAIT)
        with suppress(Conflict):
            outcome = await reseal_rows(application, tell=progress)
    return outcome


class _Progress:
    """Says how far it is, now and then."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._next = 0.0

    async def __call__(self, outcome: Outcome) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SHOW
            say(f"... {outcome.done:,} of {self._rows:,}")


async def _require_one_secret(application: Application, live: LiveRing | None) -> None:
    """What serves with another secret goes on sealing under it, and may not know the one of these settings."""
    others = await strangers(application)
    if others and (live is None or live.ring is None or live.ring.current is None):
        raise Conflict(
            f"{_processes(others)} serve with another AUTH_ENCRYPTION_SECRET than these settings have",
            remedy="Restart every process with the new secret first, the earlier one in AUTH_ENCRYPTION_SECRETS_OLD.",
        )


# -- retire -----------------------------------------------------------------------------------------------


@app.command("retire")
def retire_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key, as 'keys status' names it.")],
) -> None:
    """Take an earlier key out, if nothing stands under it any more; the counts are printed.

    For a key of AUTH_ENCRYPTION_SECRETS_OLD it proves that the secret can be taken out, which you then do.
    """

    async def work() -> tuple[Report, KeyReport, bool]:
        async with _opened() as (application, live):
            report = await _report(application, live)
            key = report.find(key_id)
            if key is None:
                raise NotFound(f"there is no key {key_id[:64]!a}", remedy="latchpin keys status names them.")
            _require_unneeded(key)
            if live is None or live.ring is None or live.ring.find(key.id) is None:
                return report, key, False
            if behind := await live.behind():
                raise KeyInUse(
                    f"{_processes(len(behind))} not have the ring as it is yet", remedy="Try again in a minute."
                )
            await take_out(application, live, key)
            return report, key, True

    report, key, done = run(work())
    proof = [(name, f"{rows:,}", f"{key.rows.get(name, 0):,}") for name, rows in report.tables.items()]
    print_table(("TABLE", "ROWS", f"SEALED UNDER {key.id}"), proof)
    say(f"Took out key {key.id}." if done else f"{key.id} ({key.where}): {key.verdict}")


def _require_unneeded(key: KeyReport) -> None:
    if key.can_go:
        return
    if key.state == "today's":
        raise KeyInUse(f"{key.id} is today's key", remedy="Make another one today's: latchpin keys rotate.")
    under = ", ".join(f"{count:,} {table}" for table, count in [*key.rows.items(), *key.signed.items()])
    if key.rows or (key.signed and key.since is None):
        raise KeyInUse(f"under {key.id} ({key.where}) stand {under}", remedy=key.verdict)
    raise KeyInUse(f"{key.id} ({key.where}): {key.verdict}", remedy="Try again then.")


# -- opening ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _opened(*, tolerant: bool = False) -> AsyncIterator[tuple[Application, LiveRing | None]]:
    token = TOLERANT.set(tolerant)
    try:
        async with opened() as application:
            services = application.services
            yield application, await live_ring(services.context) if services.settings.key_source == NAME else None
    finally:
        TOLERANT.reset(token)


def _required(live: LiveRing | None) -> LiveRing:
    if live is None:
        raise SettingsError(
            "KEY_SOURCE is settings: keys follow from AUTH_ENCRYPTION_SECRET, and a new one means a new secret",
            remedy="Set KEY_SOURCE=ring on every instance and restart; or change the secret as docs/rotate-keys.md "
            "says, and run 'latchpin keys reseal'.",
        )
    return live
