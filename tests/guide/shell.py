"""A shell as the guide's reader has it: the same command text, with the real programs or our stand-ins.

Three things differ from a reader's machine. Because tests take free ports, redis-cli is pointed at the test's server,
and curl's ``localhost:4444`` leads to the test's gateway. And sqlite3 waits for the lock of a gateway that writes just
now, where a reader would type the command again. None changes the command's text.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.guide.commands import Entry
from tests.servers.gateway import clean_environment

__all__ = ["STAND_INS", "Shell", "Terminal", "open_shell", "processes_in", "ways"]

STAND_INS = ("redis-cli", "sqlite3", "psql", "jq", "curl", "ps")
_SCRIPT = Path(__file__).with_name("stand_ins.py")
_DIRECTED = {
    "redis-cli": '-p "$GUIDE_REDIS_PORT"',
    "sqlite3": '-cmd ".timeout 60000"',
    "curl": '--connect-to "localhost:4444:127.0.0.1:$GUIDE_GATEWAY_PORT"',
}


def ways(*programs: str) -> list[str]:
    """How these programs can be had here: the stand-ins always, the real ones if all are installed."""
    return ["stand-in", *(["installed"] if all(map(shutil.which, programs)) else [])]


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell in a folder.

    Attributes:
        folder: where commands run.
        environment: the whole environment of a command.
    """

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: Entry | str, *, stdin: str = "") -> str:
        """Run a command to its end and return its output; it must succeed."""
        return self._run(command, {0}, stdin).stdout

    def lines(self, command: Entry | str) -> list[str]:
        """The lines that a command puts out; it must succeed, so a ``grep`` must have found something."""
        return self.run(command).splitlines()

    def found(self, command: Entry) -> list[str]:
        """The lines that a ``grep`` finds, which may be none."""
        return self._run(command, {0, 1}, "").stdout.splitlines()

    def _run(self, command: Entry | str, allowed: set[int], stdin: str) -> subprocess.CompletedProcess[str]:
        text = command.text if isinstance(command, Entry) else command
        done = subprocess.run(
            ["/bin/sh", "-c", text],
            cwd=self.folder,
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode in allowed, f"{text}\nexit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done


def open_shell(folder: Path, settings: Mapping[str, str], *, way: str, port: int = 0) -> Shell:
    """A shell in ``folder`` whose programs are had in the given ``way``.

    Args:
        folder: the gateway's working folder.
        settings: the gateway's; they also say where Redis and PostgreSQL are.
        way: ``stand-in`` or ``installed``.
        port: the gateway's, for curl.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in STAND_INS:
        real = shutil.which(name) if way == "installed" else None
        command = f"{real} {_DIRECTED.get(name, '')}" if real else f"{sys.executable} -P {_SCRIPT} {name}"
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    environment = clean_environment({**settings, **_places(settings), "GUIDE_GATEWAY_PORT": str(port)})
    environment["PATH"] = os.pathsep.join([str(programs), str(Path(sys.executable).parent), environment["PATH"]])
    return Shell(folder, environment)


def processes_in(folder: Path, listed: list[str]) -> list[str]:
    """The lines of ``ps aux`` whose process has ``folder`` as its working folder: other tests run here too."""
    found: list[str] = []
    for line in listed:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{line.split()[1]}/cwd").readlink() == folder:
                found.append(line)
    return found


def _places(settings: Mapping[str, str]) -> dict[str, str]:
    """Where psql and redis-cli find their servers, from the gateway's own settings."""
    database, redis = urlsplit(settings.get("DATABASE_URL", "")), urlsplit(settings.get("REDIS_URL", ""))
    places = {"GUIDE_REDIS_PORT": str(redis.port)} if redis.port else {}
    if database.scheme.startswith("postgres"):
        places |= {"PGHOST": str(database.hostname), "PGPORT": str(database.port), "PGUSER": str(database.username)}
        places |= {"PGPASSWORD": str(database.password), "PGDATABASE": database.path.strip("/"), "PSQLRC": os.devnull}
    return places


class Terminal:
    """A terminal of its own for a command that does not end by itself, until the block ends.

    Not a pipe, because ``grep`` keeps its lines back when it writes into a pipe.
    """

    def __init__(self, shell: Shell, command: Entry) -> None:
        self._text = b""
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command.text],
            cwd=shell.folder,
            env=dict(shell.environment),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def wait_for(self, text: str, *, timeout: float = 60) -> str:
        """Wait until ``text`` is on the screen, and return all of it."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self._text:
            ready, _, _ = select.select([self._screen], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come within {timeout:g} s:\n{self._text.decode()}"
            self._text += os.read(self._screen, 65536)
        return self._text.decode()

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(60)
        os.close(self._screen)
