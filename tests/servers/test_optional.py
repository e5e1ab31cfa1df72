"""Installing what a machine lacks: where that is allowed, one at a time, and with a reason where it fails."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.servers.programs import Program, install

ROOT = Path(__file__).parents[2]
APT_GET = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in
    *" {failing} "*|*" {failing}") exit 100 ;;
    *" install "*) touch {folder}/wanted ;;
esac
"""


@pytest.fixture
def wanted(tmp_path: Path) -> Program:
    """A program that is there once its package was installed."""
    path = tmp_path / "wanted"
    return Program("Wanted", lambda: str(path) if path.exists() else None, ("wanted-core", "wanted-client"))


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A Debian on which we are root; its apt-get writes down what it was asked."""

    def become(failing: str = "nothing") -> None:
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "apt-get"
        program.write_text(APT_GET.format(folder=tmp_path, failing=failing))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(os, "getuid", lambda: 0)

    return become


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


def test_a_missing_program_is_installed_once(wanted: Program, debian: Callable[..., None], tmp_path: Path) -> None:
    debian()
    assert install(wanted, lock=tmp_path / "lock") is None
    options = "-qq -o DPkg::Lock::Timeout=300"
    assert asked(tmp_path) == [
        f"{options} update",
        f"{options} install -y --no-install-recommends wanted-core wanted-client",
    ]
    assert install(wanted, lock=tmp_path / "lock") is None
    assert len(asked(tmp_path)) == 2


@pytest.mark.parametrize("failing", ["update", "install"])
def test_what_cannot_be_installed_is_named_with_the_reason(
    failing: str, wanted: Program, debian: Callable[..., None], tmp_path: Path
) -> None:
    debian(failing)
    assert install(wanted, lock=tmp_path / "lock") == f"no Wanted here, and 'apt-get {failing}' failed"


def test_nobody_but_root_installs(
    wanted: Program, debian: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert install(wanted) == "no Wanted here, and it is installed only on Debian and by root"
    assert asked(tmp_path) == []


def test_two_environments_install_one_after_the_other(
    wanted: Program, debian: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian()
    waited: list[list[str]] = []
    flock = fcntl.flock

    def end_the_other(file: IO[str], operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            waited.append(asked(tmp_path))
            other.close()
        flock(file, operation)

    with (tmp_path / "lock").open("w") as other:
        flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", end_the_other)
        assert install(wanted, lock=tmp_path / "lock") is None
    assert waited == [[]], "it did not wait, or not before it began"
    assert len(asked(tmp_path)) == 2


def test_what_was_not_run_is_left_for_the_summary(tmp_path: Path) -> None:
    code = "from tests.servers import programs; programs.install = lambda program: 'no such thing'; "
    code += "raise SystemExit(programs.main(['mariadb', 'here/mariadb', '--', 'false']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "!!! NOT RUN: false\n!!! no such thing" in done.stdout
    assert (tmp_path / "here" / "mariadb.notrun").read_text() == "no such thing\n"
