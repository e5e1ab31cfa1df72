"""Runs ``latchpin`` commands as processes that need not import anything: that takes longer than most of them.

One process has imported all that commands import. For each command, a copy of it (``fork``) takes the arguments, the
environment, the folder and the three streams, and does what the installed ``latchpin`` does from there on.
"""

from __future__ import annotations

import array
import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

_LONGEST = 1 << 17


def run_forked(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float, stdin: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as ``subprocess.run`` would."""
    request = json.dumps({"arguments": arguments, "env": dict(env), "cwd": str(cwd)}).encode()
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        with theirs:
            socket.send_fds(_server(), [request], [theirs.fileno(), given.fileno(), out.fileno(), err.fileno()])
        ours.settimeout(timeout)
        try:
            status = array.array("i", ours.recv(4))
        except TimeoutError:
            raise subprocess.TimeoutExpired(["latchpin", *arguments], timeout) from None
        texts = [_text(stream) for stream in (out, err)]
    return subprocess.CompletedProcess(["latchpin", *arguments], status[0], *texts)


def _text(stream: Any) -> str:
    stream.seek(0)
    return str(stream.read().decode(errors="replace"))


@functools.cache
def _server() -> socket.socket:
    """The way to the process that forks, which ends when we do: then this socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


_RUN_WHEN_IMPORTED = re.compile(r"\.(__main__|asgi|migrations\..*)$")


def _import_all() -> None:
    """Import each module of the core and of the plugins that are installed, and with them what those import."""
    packages = {"latchpin", *(point.value.partition(".")[0] for point in entry_points(group="latchpin"))}
    for package in sorted(packages):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not _RUN_WHEN_IMPORTED.search(module.name):
                importlib.import_module(module.name)
    gc.freeze()


def _wait_for_a_command(channel: socket.socket) -> None:
    """Return in a copy of this process, which has become that of one command; in this process, never."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a copy that watches ended
    while True:
        request, streams, _, _ = socket.recv_fds(channel, _LONGEST, 4)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (command := os.fork()) == 0:
                return _become(json.loads(request), streams)
            _, status = os.waitpid(command, 0)
            os.write(streams[0], array.array("i", [os.waitstatus_to_exitcode(status)]).tobytes())
            os._exit(0)
        for stream in streams:
            os.close(stream)


def _become(command: Mapping[str, Any], streams: Sequence[int]) -> None:
    os.close(streams[0])
    for number, stream in enumerate(streams[1:]):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115  to the end
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(command["env"])
    time.tzset()
    os.chdir(command["cwd"])
    sys.argv = ["latchpin", *command["arguments"]]


if __name__ == "__main__":
    _import_all()
    _wait_for_a_command(socket.socket(fileno=int(sys.argv[1])))
    from latchpin.commands.main import main

    main()
