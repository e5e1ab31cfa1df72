"""The name of a serving process, signed into each state: who issued it, and whether that process still runs.

``{machine}-{process id}-{start}-{random}``, in hexadecimal but for the last: a hash of the machine, the process id,
when the process started, and 32 random bits. Process ids are used again; an id with its start is not. A container
with a name of its own counts as a machine.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["InstanceName", "Whereabouts", "locate", "new_instance_name", "parse_instance_name"]

_NAME = re.compile(r"([0-9a-f]{8})-([0-9a-f]{1,8})-([0-9a-f]{1,16})-([0-9a-f]{8})")
_START = 19  # "starttime", counted from the state that follows the name; see proc(5)
_ZOMBIE = "Z"
_PROC = Path("/proc")
_MACHINE_ID = Path("/etc/machine-id")


class Whereabouts(Enum):
    """Where the process of a name is, seen from here."""

    THIS = "this very instance"
    RUNNING = "another one on this machine, which runs"
    ENDED = "one of this machine that has ended"
    ELSEWHERE = "on another machine"
    UNKNOWN = "nobody can tell"


@dataclass(frozen=True, slots=True)
class InstanceName:
    """A name that was parsed."""

    machine: str
    pid: int
    start: int
    random: str


def new_instance_name() -> str:
    """Name this process, or one of several gateways in it."""
    pid = os.getpid()
    return f"{_machine()}-{pid:x}-{_started(pid) or 0:x}-{secrets.token_hex(4)}"


def parse_instance_name(text: str) -> InstanceName | None:
    """Read a name; None if it is none of ours."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    machine, pid, start, random = match.groups()
    return InstanceName(machine, int(pid, 16), int(start, 16), random)


def locate(text: str, *, own: str) -> Whereabouts:
    """Say where the process called ``text`` is, for the one called ``own``."""
    if text == own:
        return Whereabouts.THIS
    name = parse_instance_name(text)
    if name is None:
        return Whereabouts.UNKNOWN
    if name.machine != _machine():
        return Whereabouts.ELSEWHERE
    return Whereabouts.RUNNING if _runs(name) else Whereabouts.ENDED


def _runs(name: InstanceName) -> bool:
    if _PROC.is_dir():
        return _started(name.pid) == name.start
    try:
        os.kill(name.pid, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None if there is none, or no /proc."""
    try:
        # "pid (name) state parent ...", and the name may hold anything
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[_START]) if fields[0] != _ZOMBIE else None
    except (OSError, ValueError, IndexError):
        return None


def _machine() -> str:
    """A hash of what tells this machine, or container, from others, and stays over a restart."""
    try:
        id_ = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        id_ = ""
    return hashlib.sha256(f"{socket.gethostname()}\n{id_}".encode()).hexdigest()[:8]
