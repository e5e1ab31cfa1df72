"""The repository as ``make`` sees it, in a folder of its own, set up with the distributions that this run has.

``make dev`` in a bare clone would first install everything, which ``tests/workspace`` tests; here it really serves.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.guide.commands import Entry
from tests.guide.shell import open_shell
from tests.servers import LatchpinProcess, Reservation, latchpin_command
from tests.servers.ports import HOST

__all__ = ["ROOT", "prepare_checkout", "serve_by"]

ROOT = Path(__file__).parents[2]
_FILES = ("Makefile", ".env.example", "pyproject.toml", "*/pyproject.toml", "*/*/pyproject.toml")


def prepare_checkout(folder: Path) -> Path:
    """Copy what ``make`` looks at, beside a ``.venv`` that is complete."""
    for pattern in _FILES:
        for file in ROOT.glob(pattern):
            if not file.relative_to(ROOT).parts[0].startswith(".") or file.name == ".env.example":
                target = folder / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, program in (("python", sys.executable), ("latchpin", latchpin_command())):
        (programs / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (programs / name).chmod(0o755)
    for stamp in (".created", ".installed"):
        (folder / ".venv" / stamp).touch()
    return folder


@contextlib.contextmanager
def serve_by(command: Entry | str, folder: Path, settings: Mapping[str, str]) -> Iterator[LatchpinProcess]:
    """Let a command of the guide start a gateway, on a free port, until the block ends.

    ``0.0.0.0:4444`` in the command becomes that port on loopback.
    """
    with Reservation() as place:
        url = f"http://{HOST}:{place.port}"
        env = {"PORT": str(place.port), "BASE_URL": url} | dict(settings)
        text = (command.text if isinstance(command, Entry) else command).replace("0.0.0.0:4444", f"{HOST}:{place.port}")
        shell = open_shell(folder, env, way="installed", port=place.port)
        with LatchpinProcess(["/bin/sh", "-c", text], env=shell.environment, cwd=folder) as process:
            process.port, process.base_url = place.port, env["BASE_URL"]
            process.wait_until_healthy(timeout=60)
            yield process
