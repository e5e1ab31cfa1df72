"""Half an hour of everything: ``python -m benchmarks.soak [--backends sqlite,postgres,redis] [--minutes 30]``.

``latchpin serve --workers 3`` on a real backend, and a provider that takes each code and each refresh token once.
People authorize, and then call through the proxy with tokens that are expired at once, so that every call refreshes.
All the while something happens, in turn: a worker is told to end and another one takes its place; one is killed; the
key that seals is rotated (``latchpin keys rotate``, then ``reseal``). One worker is left alone, and its memory is
looked at.

Counted is what became of each request. What asking again did not cure is a fault: it is printed, and the exit status is
1. So it is where the worker that was left alone holds more than ``--growth`` times as much memory at the end as after
the first third.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.flows import add_gateway, backend_environment, resident_mb, serve_gateway, settings_of
from benchmarks.kills import Crowd, Kill, kill_one, open_crowd, provider, tracebacks_in, workers_of
from tests.servers import run_latchpin
from tests.servers.gateway import LatchpinProcess

WORKERS = 3
STARTED = "Application startup complete"
SAMPLES = 60
"""How often the memory is looked at, over the whole time."""
PATIENCE = 180


@dataclass
class Soak:
    """One run on one backend.

    Attributes:
        environment: of the gateway, with which commands are run too.
        left_alone: the worker that nothing happens to.
        events: what happened, by its name.
        memory: of that worker, in MB, from the first look to the last.
        faults: of commands.
        started: how many workers have started so far.
    """

    process: LatchpinProcess
    folder: Path
    environment: Mapping[str, str]
    left_alone: int
    events: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    started: int = WORKERS

    async def restart(self) -> None:
        """Tell a worker to end, as a deployment does."""
        victim = self._one()
        os.kill(victim, signal.SIGTERM)
        await self._replaced()
        self.events["a worker restarted"] += 1

    async def kill(self) -> None:
        """Kill a worker at once, as the kernel does that has no memory left."""
        self.kills.append(kill_one(self.process.pid, but=self.left_alone))
        await self._replaced()
        self.events["a worker killed"] += 1

    async def rotate(self) -> None:
        """Rotate the key that seals, and seal anew what rests under the earlier one."""
        for command in ("rotate", "reseal"):
            done = await asyncio.to_thread(run_latchpin, "keys", command, env=self.environment, cwd=self.folder)
            if done.returncode:
                self.faults.append(f"latchpin keys {command}: {done.stderr[-300:]}")
        self.events["the key rotated"] += 1

    async def disturb(self, every: float) -> None:
        """Do one after the other, until cancelled."""
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (self.restart, self.kill, self.rotate)
        for happen in itertools.cycle(kinds):
            await asyncio.sleep(random.uniform(0.5, 1.5) * every)
            await happen()

    async def watch(self, every: float) -> None:
        """Look at the memory, until cancelled."""
        while True:
            self.memory.append(resident_mb(self.left_alone))
            await asyncio.sleep(every)

    def _one(self) -> int:
        return random.choice([pid for pid in workers_of(self.process.pid) if pid != self.left_alone])

    async def _replaced(self) -> None:
        self.started += 1
        await asyncio.to_thread(self.process.wait_for_output, STARTED, times=self.started, timeout=PATIENCE)

    @property
    def growth(self) -> float:
        """The memory of the last tenth, as a multiple of what it was after the first third."""
        third, tenth = len(self.memory) // 3, max(len(self.memory) // 10, 1)
        return statistics.median(self.memory[-tenth:]) / statistics.median(self.memory[third : third + tenth])


async def run(soak: Soak, origin: str, arguments: argparse.Namespace) -> Crowd:
    gateway = await asyncio.to_thread(add_gateway, soak.process.base_url, origin)
    seconds = arguments.minutes * 60
    async with open_crowd(soak.process.base_url, gateway) as crowd:
        people = [asyncio.create_task(crowd.live(number)) for number in range(arguments.people)]
        beside = asyncio.gather(soak.disturb(arguments.every), soak.watch(seconds / SAMPLES))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(beside, seconds)
        crowd.over, crowd.kills = True, len(soak.kills)
        await asyncio.gather(*people)
        async with crowd.session.get(f"{origin}/seen") as answer:
            crowd.judge(await answer.json(), soak.kills)
    return crowd


def measure(name: str, arguments: argparse.Namespace) -> tuple[Soak, Crowd]:
    with (
        tempfile.TemporaryDirectory() as folder,
        backend_environment(name, Path(folder)) as environment,
        provider() as origin,
    ):
        settings = {"OAUTH_REQUEST_TIMEOUT": "20", "MAX_PENDING": "1000000", "LOG_LEVEL": "INFO", "KEY_SOURCE": "ring"}
        command = ("serve", "--workers", str(WORKERS))
        with serve_gateway(environment, Path(folder), *command, **settings) as process:
            process.wait_for_output(STARTED, times=WORKERS)
            known = settings_of(environment, **settings)
            soak = Soak(process, Path(folder), known, workers_of(process.pid)[0])
            crowd = asyncio.run(run(soak, origin, arguments))
            if crowd.faults:
                soak.faults += tracebacks_in(process.output)
            return soak, crowd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="sqlite,postgres,redis")
    parser.add_argument("--minutes", type=float, default=30, help="on each backend")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--every", type=float, default=20, help="seconds between two things that happen, about")
    parser.add_argument("--growth", type=float, default=1.1, help="how much more memory is no fault")
    arguments = parser.parse_args()
    faulty = False
    for name in arguments.backends.split(","):
        began = time.monotonic()
        soak, crowd = measure(name, arguments)
        happened = ", ".join(f"{what} {count} times" for what, count in sorted(soak.events.items()))
        print(f"{name}: {time.monotonic() - began:.0f} s; {happened}", flush=True)
        first, last = soak.memory[len(soak.memory) // 3], soak.memory[-1]
        print(f"  {first:.0f} MB after a third, {last:.0f} MB at the end: {soak.growth:.2f}x")
        for outcome, count in sorted(crowd.outcomes.items()):
            print(f"  {count:7} {outcome}")
        faults = soak.faults + crowd.faults
        for line in faults[:20]:
            print(f"    {line}")
        faulty = faulty or bool(faults) or soak.growth > arguments.growth
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
