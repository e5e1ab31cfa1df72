"""The demo's own folder: its settings, its database, its log. Nothing outside it is read or written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from latchpin.errors import SettingsError
from latchpin.sdk.settings import variables
from pydantic_settings import BaseSettings

__all__ = ["DATABASE", "claim", "entered", "write_settings"]

DATABASE = "mcp.db"
_HEADER = "# Written by 'latchpin demo', which starts afresh each time. The folder is the demo's own.\n"
_LOCK = "demo.lock"


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[Path]:
    """Make the folder, or take it over from an earlier demo, with an empty database. Gives its absolute path.

    Raises:
        SettingsError: the folder is somebody else's, or another demo runs in it.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / ".env"
    if not settings.exists() and not any(folder.iterdir()):
        settings.write_text(_HEADER, encoding="utf-8")
    if not settings.is_file() or not settings.read_text(encoding="utf-8").startswith(_HEADER):
        raise SettingsError(
            f"{folder} is not empty and no earlier demo made it; the demo writes only where nothing can be lost.",
            remedy="Name an empty or a new folder with --folder.",
        )
    with _locked(folder):
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (folder / name).unlink(missing_ok=True)
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("a") as lock:
        with contextlib.suppress(ImportError):  # systems without fcntl go without the lock
            import fcntl  # noqa: PLC0415

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise SettingsError(
                    f"Another demo is running in {folder}.", remedy="Stop it, or name another folder with --folder."
                ) from exc
        yield


def write_settings(folder: Path, values: Mapping[str, str]) -> None:
    """Write the settings that a gateway in ``folder`` reads, for its owner's eyes only."""
    path = folder / ".env"
    path.touch(mode=0o600)
    path.chmod(0o600)  # first: what is written next is secret
    path.write_text(_HEADER + "".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


@contextlib.contextmanager
def entered(folder: Path, models: Mapping[str, type[BaseSettings]]) -> Iterator[None]:
    """Work in ``folder`` with none of the surrounding settings: its ``.env`` alone counts, for children too.

    Args:
        folder: becomes the working folder.
        models: every settings model there is; their variables are taken out of the environment.
    """
    known = {name for model in models.values() for name in variables(model)}
    hidden = {name: value for name, value in os.environ.items() if name.upper() in known}
    for name in hidden:
        del os.environ[name]
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.update(hidden)
