"""Seconds from the start to the first answer of /health, and resident memory then: ``python -m benchmarks.start``.

One worker of ``latchpin serve`` on each backend, started anew several times where the database is migrated. Run it
on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.flows import JWT_KEY, SECRET, backend_environment, resident_mb
from tests.servers import run_latchpin, start_latchpin


def measure(name: str, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder, backend_environment(name, Path(folder)) as environment:
        env = environment | {"AUTH_ENCRYPTION_SECRET": SECRET, "JWT_SECRET_KEY": JWT_KEY}
        if name in {"sqlite", "postgres"}:
            run_latchpin("db", "upgrade", env=env, cwd=Path(folder))
        seconds, memory = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            with start_latchpin(env=env, cwd=Path(folder)) as process:
                seconds.append(time.perf_counter() - began)
                memory.append(resident_mb(process.pid))
    return f"| {name:<8} | {statistics.median(seconds):9.2f} | {statistics.median(memory):6.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="memory,sqlite,postgres,redis")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| backend  | start, s  | MB     |")
    print("|----------|-----------|--------|")
    for name in arguments.backends.split(","):
        print(measure(name, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
