"""All benchmarks, one after the other, and the page of what they found: ``python -m benchmarks.all [--quick]``.

Each runs as the command that the page names. What it prints goes into ``docs/performance.md``, with the machine and the
day. ``--only calls,start`` runs some of them and leaves of the page what the others found. Run it on an otherwise idle
machine; it takes an hour or so, with ``--quick`` some ten minutes.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"


@dataclass(frozen=True)
class Benchmark:
    """A command, and where on the page its tables go.

    Attributes:
        name: of the module, and of the place on the page.
        usual: its options for the page.
        quick: those for a look in passing.
    """

    name: str
    usual: Sequence[str] = ()
    quick: Sequence[str] = ()

    def command(self, *, quick: bool) -> list[str]:
        return ["python", "-m", f"benchmarks.{self.name}", *(self.quick if quick else self.usual)]


ALL = (
    Benchmark("calls", quick=("--seconds", "1", "--rounds", "1", "--at-once", "16", "--stores", "sqlite")),
    Benchmark(
        "one_endpoint",
        usual=("--seconds", "3", "--rounds", "3"),
        quick=("--seconds", "1", "--rounds", "1", "--people", "20"),
    ),
    Benchmark("edge", quick=("--seconds", "1", "--rounds", "1", "--calls", "100")),
    Benchmark("told", usual=("--rounds", "30", "--seconds", "0.5"), quick=("--rounds", "4")),
    Benchmark("authorize", quick=("--seconds", "1", "--rounds", "1", "--flows", "100", "--stores", "memory,sqlite")),
    Benchmark("pairs"),
    Benchmark("bursts", quick=("--backends", "sqlite,redis")),
    Benchmark("refresh_storm", quick=("--backends", "sqlite", "--callers", "200")),
    Benchmark("start", quick=("--rounds", "2")),
    Benchmark(
        "growth",
        usual=("--stores", "memory,sqlite,redis,postgres", "--sizes", "1000,100000"),
        quick=("--stores", "sqlite", "--sizes", "1000,10000", "--pairs", "500"),
    ),
)


def run(benchmark: Benchmark, *, quick: bool) -> str:
    """The tables that it prints, with its command; raises CalledProcessError."""
    command = benchmark.command(quick=quick)
    print(f"{' '.join(command)} ...", flush=True)
    done = subprocess.run([sys.executable, *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, flush=True)
    return f"`{' '.join(command)}`, {describe_machine()}:\n\n{tables_of(done.stdout)}"


def tables_of(printed: str) -> str:
    """The rows of tables, with an empty line between two tables."""
    lines = [line if line.startswith("|") else "" for line in printed.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def describe_machine() -> str:
    """With how many processes wanted a core lately: beside other work, multiples are less sure too."""
    cores = len(os.sched_getaffinity(0))
    machine = f"{cores} cores {platform.machine()}, load {os.getloadavg()[1]:.0f}, CPython {platform.python_version()}"
    return f"{machine}, {datetime.now(UTC):%Y-%m-%d}"


def filled(page: str, name: str, found: str) -> str:
    """The page with what a benchmark found in its place."""
    place = re.compile(rf"(<!-- measured: {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    text, count = place.subn(lambda match: f"{match[1]}\n{found}\n{match[2]}", page)
    if count != 1:
        raise LookupError(f"{PAGE.name} has no place for {name}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(each.name for each in ALL))
    options = parser.parse_args()
    failed = []
    for benchmark in ALL:
        if benchmark.name in options.only.split(","):
            try:
                found = run(benchmark, quick=options.quick)
            except subprocess.CalledProcessError:
                failed.append(benchmark.name)
                continue
            PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), benchmark.name, found), encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
