"""The Makefile in a copy of the checkout: what it runs, which Python it takes, and what it does about ``.env``."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.servers import run_latchpin

ROOT = Path(__file__).parents[2]
FAKE_COMMAND = '#!/bin/sh\necho "latchpin $* LOG_LEVEL=$LOG_LEVEL"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of the checkout that ``make`` looks at, in a folder of their own."""
    folder = tmp_path / "checkout"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in names:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def prepared(checkout: Path) -> Path:
    """A checkout whose .venv is complete: our interpreter and a ``latchpin`` that says how it was called."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "latchpin").write_text(FAKE_COMMAND)
    for program in programs.iterdir():
        program.chmod(0o755)
    for stamp in (".created", ".installed"):
        (checkout / ".venv" / stamp).touch()
    return checkout


def make(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": path or os.environ["PATH"], "HOME": str(folder)}
    env |= {name: value for name, value in os.environ.items() if name.startswith(("SSL_", "PIP_", "UV_"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("target", "called"),
    [
        (["dev"], "latchpin serve --workers 1 LOG_LEVEL=DEBUG"),
        (["serve", "WORKERS=3"], "latchpin serve --workers 3 LOG_LEVEL="),
        (["demo", "ARGS=--once"], "latchpin demo --once LOG_LEVEL="),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_first_start_makes_an_env_with_a_secret_of_its_own(prepared: Path, target: list[str], called: str):
    done = make(prepared, *target)
    assert called in done.stdout.splitlines(), done.stdout + done.stderr
    path = prepared / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values, defaults = dotenv_values(path), dotenv_values(prepared / ".env.example")
    secret = values.pop("AUTH_ENCRYPTION_SECRET")
    assert secret
    assert secret != defaults.pop("AUTH_ENCRYPTION_SECRET")
    assert len(secret.encode()) >= 32
    assert values == defaults
    assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("target", ["dev", "serve", "demo"])
def test_an_env_that_is_there_stays_as_it_is(prepared: Path, target: str):
    path = prepared / ".env"
    path.write_text("CACHE_TYPE=redis\n")
    path.chmod(0o640)
    os.utime(path, (1, 1))  # older than everything it could depend on
    assert make(prepared, target).returncode == 0
    assert path.read_text() == "CACHE_TYPE=redis\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime == 1


def test_without_a_target_it_lists_them(prepared: Path):
    listed = {line.split()[1] for line in make(prepared).stdout.splitlines()}
    assert {"demo", "dev", "serve", "test", "check", "lint"} <= listed


def path_of(folder: Path, pythons: dict[str, str]) -> str:
    """A path of folders, each with one Python: a name such as ``first/python3.12``, and what it does when it is run."""
    for name, script in pythons.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    folders = dict.fromkeys(str((folder / name).parent) for name in pythons)
    return ":".join([*folders, "/usr/bin", "/bin"])


def taken(checkout: Path, path: str) -> str:
    """The Python that makes the environment."""
    (line,) = (
        line for line in make(checkout, "--dry-run", "setup", path=path).stdout.splitlines() if " -m venv " in line
    )
    return line.partition(" -m venv ")[0].rpartition("/programs/")[2]


def test_it_takes_the_newest_python_that_runs_and_is_new_enough(checkout: Path, tmp_path: Path):
    programs = {
        "one/python3.13": "exit 127",  # a shim without a version behind it
        "one/python3.12": "echo 12",
        "one/python3.11": "echo 1",
        "one/python3": "echo 1",
    }
    assert taken(checkout, path_of(tmp_path / "programs", programs)) == "one/python3.12"


def test_it_takes_the_fastest_of_one_name_and_else_the_first(checkout: Path, tmp_path: Path):
    programs = {
        "slow/python3.13": "echo 31",
        "broken/python3.13": "echo 2; exit 1",
        "fast/python3.13": "echo 9",
        "as fast/python3.13": "echo 9",
    }
    assert taken(checkout, path_of(tmp_path / "programs", programs)) == "fast/python3.13"


def test_without_a_python_it_says_what_is_needed(checkout: Path):
    done = make(checkout, "setup", "PYTHON=")
    assert done.returncode != 0
    assert "Latchpin needs Python 3.11 or newer" in done.stderr


def test_a_bare_checkout_sets_itself_up_once_and_runs(checkout: Path):
    first = make(checkout, "setup")
    assert first.returncode == 0, first.stdout + first.stderr
    command = str(checkout / ".venv" / "bin" / "latchpin")
    plugins = run_latchpin("plugins", env={"COLUMNS": "200"}, cwd=checkout, executable=command)
    assert plugins.returncode == 0, plugins.stderr
    for name in ("latchpin-sql-store", "latchpin-redis-store", "latchpin-memory-store", "latchpin-dcr"):
        assert name in plugins.stdout
    assert "installing" in first.stdout
    assert "installing" not in make(checkout, "setup").stdout
