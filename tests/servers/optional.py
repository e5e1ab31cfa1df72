"""Run tests that need a program which not every machine has; without it, say loudly that they were not run.

    python -m tests.servers.optional chromium RESULT -- pytest tests/browser

``RESULT.notrun`` then holds the reason, which the summary of ``make test`` repeats.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["find_chromium", "find_mariadb"]

_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"


def find_chromium() -> str | None:
    """The path of a Chromium that really runs, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def find_mariadb() -> str | None:
    """The path of MariaDB's server program, or None."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path=_SYSTEM_FOLDERS)


def _install_chromium() -> str | None:
    """Install Debian's package, where that is ours to do; return why it is not there afterwards, or None."""
    if shutil.which("apt-get") is None or os.getuid() != 0:
        return "no Chromium here, and it is installed only on Debian and by root"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        print("apt-get", *command, flush=True)  # noqa: T201
        done = subprocess.run(
            ["apt-get", *command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            return f"no Chromium here, and 'apt-get {command[0]}' failed"
    return None if find_chromium() else "the package chromium was installed, and it does not run"


def _want(find: Callable[[], str | None], install: Callable[[], str | None]) -> str | None:
    return None if find() else install()


_WANTED: dict[str, Callable[[], str | None]] = {
    "chromium": lambda: _want(find_chromium, _install_chromium),
    "mariadb": lambda: _want(find_mariadb, lambda: "no MariaDB server (mariadbd) here"),
}


def main(arguments: list[str]) -> int:
    """See the module's text."""
    program, result, dashes, *command = arguments
    if program not in _WANTED or dashes != "--" or not command:
        raise SystemExit(__doc__)
    if (reason := _WANTED[program]()) is None:
        return subprocess.run(command, check=False).returncode
    Path(f"{result}.notrun").parent.mkdir(parents=True, exist_ok=True)
    Path(f"{result}.notrun").write_text(reason + "\n")
    print(f"\n{'!' * 80}\n!!! NOT RUN: {' '.join(command)}\n!!! {reason}\n{'!' * 80}", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
