"""The serving processes of this machine, as ``ps`` would show them; only where there is a /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROC", "Process", "serving_processes"]

PROC = Path("/proc")

_OUR_TITLE = "latchpin: uvicorn worker"
_APPLICATION = "latchpin.asgi"
_SPAWNED = "spawn_main"  # what a child of uvicorn's own supervisor has for a command


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its command line in one text, and who started it."""

    pid: int
    parent: int
    command: str


def serving_processes(folder: Path, *, proc: Path = PROC) -> list[Process]:
    """Those that serve a gateway from ``folder``, whichever server runs them. Another user's are not seen.

    Of a supervisor and its workers only the workers count. Two gateways that share a folder share their settings.
    """
    everyone = {
        process.pid: process
        for entry in proc.glob("[0-9]*")
        if int(entry.name) != os.getpid() and (process := _look(entry, folder)) is not None
    }
    serving = {pid: process for pid, process in everyone.items() if _serves(process, everyone)}
    supervisors = {process.parent for process in serving.values()}
    return [process for pid, process in sorted(serving.items()) if pid not in supervisors]


def _look(entry: Path, folder: Path) -> Process | None:
    try:
        if (entry / "cwd").readlink() != folder:
            return None
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        # "pid (name) state parent ...", and the name may hold anything
        parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None  # it ended, or is another user's
    return Process(int(entry.name), parent, command)


def _serves(process: Process, everyone: Mapping[int, Process]) -> bool:
    if process.command.startswith(_OUR_TITLE) or _APPLICATION in process.command:
        return True
    parent = everyone.get(process.parent)
    return parent is not None and _SPAWNED in process.command and _APPLICATION in parent.command
