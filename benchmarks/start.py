"""Start and memory: ``python -m benchmarks.start [--backends memory,sqlite,postgres,redis]``.

First the CPU of commands, as a multiple of what importing typer and rich takes. Then one worker of ``latchpin serve``
on each store, whose schema is there, beside a bare FastAPI application on uvicorn: its CPU from the start to the first
answer of /health, and its resident memory then, as multiples of the bare one's. All take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.flows import JWT_KEY, SECRET, backend_environment, cpu_seconds, resident_mb
from benchmarks.side_by_side import serving
from tests.servers import latchpin_command, run_latchpin, start_latchpin
from tests.servers.gateway import clean_environment

FLOOR = (sys.executable, "-c", "import typer, rich.table")
COMMANDS = ("--help", "secret generate", "config show", "plugins")
KEYS = {"AUTH_ENCRYPTION_SECRET": SECRET, "JWT_SECRET_KEY": JWT_KEY}
BARE = "a bare FastAPI application"


def make_bare() -> Any:
    from fastapi import FastAPI  # noqa: PLC0415  what is measured

    return FastAPI()


def seconds_of(*command: str) -> float:
    """CPU of a command that ends by itself."""
    process = subprocess.Popen(command, env=clean_environment(KEYS), stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def commands(rounds: int) -> Iterator[str]:
    ways = {text: (latchpin_command(), *text.split()) for text in COMMANDS}
    found: dict[str, list[float]] = {text: [] for text in ("", *COMMANDS)}
    for number in range(rounds + 1):
        for text, command in {"": FLOOR, **ways}.items():
            seconds = seconds_of(*command)
            if number:  # the first may compile
                found[text].append(seconds)
    floor = statistics.median(found.pop(""))
    for text, values in found.items():
        yield f"| `latchpin {text}` | {statistics.median(values) / floor:.1f}x |"


@contextlib.contextmanager
def ready(backend: str, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """A server that answers: its process."""
    if backend == BARE:
        with serving(make_bare) as (_, pid):
            yield pid
    else:
        with start_latchpin(env=KEYS | environment, cwd=folder, executable=latchpin_command()) as process:
            yield process.pid


def workers(backends: list[str], rounds: int) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environments: dict[str, Mapping[str, str]] = {BARE: {}}
        for name in backends:
            environments[name] = stack.enter_context(backend_environment(name, folder))
            if name in {"sqlite", "postgres"}:
                run_latchpin("db", "upgrade", env=KEYS | environments[name], cwd=folder)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in environments}
        for _ in range(rounds):
            for name, environment in environments.items():
                with ready(name, folder, environment) as pid:
                    found[name].append((cpu_seconds(pid), resident_mb(pid)))
    usual = {name: [statistics.median(each) for each in zip(*values, strict=True)] for name, values in found.items()}
    bare_cpu, bare_mb = usual.pop(BARE)
    for name, (cpu, megabytes) in usual.items():
        yield f"| {name} | {cpu / bare_cpu:.1f}x | {megabytes / bare_mb:.1f}x |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="memory,sqlite,postgres,redis")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| command | CPU |\n|---|---|")
    for row in commands(arguments.rounds):
        print(row, flush=True)
    print("\n| worker on | CPU to the first answer | memory |\n|---|---|---|")
    for row in workers(arguments.backends.split(","), arguments.rounds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
