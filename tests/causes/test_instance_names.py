"""Where the process of a name is: here, running, ended, elsewhere, or nobody can tell."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from latchpin.workers import instance_names
from latchpin.workers.instance_names import Whereabouts, locate, new_instance_name, parse_instance_name

_PRINT = (
    "from latchpin.workers.instance_names import new_instance_name; print(new_instance_name(), flush=True); input()"
)


@pytest.fixture
def other():
    """Another process, which waits to be ended, and its name."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _PRINT], stdin=pipe, stdout=pipe, text=True) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_name_is_read_back():
    name = new_instance_name()
    parsed = parse_instance_name(name)
    assert parsed.pid == os.getpid()
    assert parsed.machine == name[:8]
    assert socket.gethostname() not in name
    assert new_instance_name() != name, "two gateways in one process differ"


@pytest.mark.parametrize(
    "text", ["", "3f9c2a11", "one", "a-b-c-d", "0" * 8 + "-1-1-" + "g" * 8, "0" * 8 + "-1-1-00000000\n"]
)
def test_what_is_no_name_of_ours_is_nowhere(text):
    assert parse_instance_name(text) is None
    assert locate(text, own=new_instance_name()) is Whereabouts.UNKNOWN


def test_a_process_is_here_running_or_ended(other):
    process, name = other
    own = new_instance_name()
    assert locate(own, own=own) is Whereabouts.THIS
    assert locate(new_instance_name(), own=own) is Whereabouts.RUNNING
    assert locate(name, own=own) is Whereabouts.RUNNING
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
    assert locate(name, own=own) is Whereabouts.ENDED
    process.wait()
    assert locate(name, own=own) is Whereabouts.ENDED


def test_a_process_id_that_is_used_again_is_another_process():
    machine, pid, start, random = new_instance_name().split("-")
    earlier = f"{machine}-{pid}-{int(start, 16) - 1:x}-{random}"
    assert locate(earlier, own=new_instance_name()) is Whereabouts.ENDED


def test_another_machine_is_elsewhere_even_with_the_same_process_id():
    name = new_instance_name()
    foreign = ("0" if name[0] != "0" else "1") + name[1:]
    assert locate(foreign, own=name) is Whereabouts.ELSEWHERE


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other):
    process, name = other
    monkeypatch.setattr(instance_names, "_PROC", tmp_path / "none")
    own = new_instance_name()
    assert parse_instance_name(own).start == 0
    assert locate(name, own=own) is Whereabouts.RUNNING
    process.kill()
    process.wait()
    assert locate(name, own=own) is Whereabouts.ENDED
    monkeypatch.setattr(os, "kill", _forbidden)
    assert locate(name, own=own) is Whereabouts.RUNNING, "it is there, and is somebody else's"


def _forbidden(pid: int, number: int) -> None:
    raise PermissionError
