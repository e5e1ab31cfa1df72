"""Keeping a configuration true: gateways come, change and go, and so do the addresses of their servers."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latchpin.errors import LatchpinError
from latchpin.sdk.commands import say

from latchpin_edge.folder import make_folder
from latchpin_edge.kinds import Kind, render, render_files, worker_ids
from latchpin_edge.plan import Front, Plan, find_plan
from latchpin_edge.running import check, reload_nginx, run_program, write
from latchpin_edge.ways import Resolve, Way, look_up

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["Watch", "keep_addresses"]

_log = logging.getLogger("latchpin.edge")

LINGER = 900.0
"""For how many seconds Envoy goes on knowing where a gateway led: longer than its drain time of ten minutes, for which
connections from before a change are served as they were."""
APART = 0.1
"""Seconds between two files: of what it hears at once, Envoy takes any first, and the listeners name clusters."""


@dataclass
class Watch:
    """Watches for one data plane.

    Attributes:
        output: the file that it reads.
        program: judges what is to be written.
        written: what was written last.
        told: whether the data plane was told of it.
        left: ways that gateways had until lately, by their places, with when that is forgotten.
    """

    kind: Kind
    front: Front
    output: Path
    program: str
    resolve: Resolve = look_up
    written: Plan | None = field(default=None, repr=False)
    told: bool = False
    left: dict[str, tuple[Way, float]] = field(default_factory=dict, repr=False)
    _refused: str = field(default="", repr=False)

    async def run(self, application: Application, every: float, *, start: bool = False) -> None:
        """Look again and again, until cancelled; with ``start``, run the data plane as soon as it can read something.

        Raises:
            SettingsError: the data plane that was started has ended.
        """
        running: asyncio.Task[None] | None = None
        try:
            while True:
                try:
                    await self.look(application)
                except LatchpinError as exc:
                    _log.warning("The data plane's configuration stays as it is: %s", exc.in_full)
                if start and running is None and self.written is not None:
                    running = asyncio.create_task(run_program(self.kind, self.program, self.output.resolve()))
                if running is None:
                    await asyncio.sleep(every)
                elif (await asyncio.wait({running}, timeout=every))[0]:
                    return await running
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait({running})

    async def look(self, application: Application) -> bool:
        """Look once; say whether something was written.

        Raises:
            LatchpinError: it cannot be known what to write, or it cannot be written.
        """
        plan = await find_plan(application, self.front, resolve=self.resolve)
        plan = keep_addresses(plan, self.written)
        left = self._left(plan, time.monotonic())
        if plan == self.written and left.keys() == self.left.keys():
            if not self.told:  # it may have read what stood there before, and only now say where it can be told
                self.told = self._tell(plan)
            return False
        await asyncio.to_thread(self._write, plan, left)
        return True

    def _left(self, plan: Plan, now: float) -> dict[str, tuple[Way, float]]:
        """What ``left`` is under a plan."""
        if self.kind is not Kind.ENVOY or self.written is None:
            return {}
        before = {way.place: (way, now + LINGER) for way in self.written.ways} | self.left
        there = {way.place for way in plan.ways}
        return {place: (way, until) for place, (way, until) in before.items() if place not in there and until > now}

    def _write(self, plan: Plan, left: dict[str, tuple[Way, float]]) -> None:
        text = render(self.kind, plan)
        make_folder(plan.folder, owner=worker_ids(self.kind))
        if (wrong := check(self.kind, self.program, text)) is not None:
            if text != self._refused:  # said once, and tried again at the next look: a busy machine refuses too
                say(f"{self.kind.value} refuses the new configuration, so the old one stays: {wrong[:2000]}")
            self._refused = text
            return
        for path, part in render_files(self.kind, plan, self.output.resolve(), [way for way, _ in left.values()]):
            if not path.exists() or path.read_text(encoding="utf-8") != part:
                write(path, part)
                time.sleep(APART if self.kind is Kind.ENVOY else 0)
        self.written, self.left, self.told = plan, left, self._tell(plan)
        say(f"Wrote {self.output} for {len(plan.ways)} gateways{'' if self.told else ', and no data plane runs yet'}")

    def _tell(self, plan: Plan) -> bool:
        """Say to the data plane that there is something new; Envoy sees that by itself."""
        return self.kind is Kind.ENVOY or reload_nginx(plan.folder / "nginx.pid")


def keep_addresses(plan: Plan, written: Plan | None) -> Plan:
    """Go on with a way's addresses while some of them still are its host's. Pure.

    Many hosts name others of their addresses each time. None stays that would be refused: of a plan's, none is.
    """
    if written is None:
        return plan
    before = {way.gateway_id: way for way in written.ways}
    return replace(plan, ways=tuple(_keep(way, before.get(way.gateway_id)) for way in plan.ways))


def _keep(way: Way, before: Way | None) -> Way:
    if before is None or replace(before, addresses=()) != replace(way, addresses=()):
        return way
    still = tuple(each for each in before.addresses if each in way.addresses)
    return before if still == before.addresses or (still and len(still) * 2 >= len(before.addresses)) else way
