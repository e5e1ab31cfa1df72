"""The folder of what a data plane keeps: tokens among it, so it is in memory and for one user alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from latchpin.errors import SettingsError

__all__ = ["choose_folder", "is_in_memory", "make_folder"]

_NAME = "latchpin-edge"
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mounts")


def choose_folder(wanted: str | None, environment: Mapping[str, str]) -> Path:
    """Where it is: as wanted, else below the user's own folder in memory, else the machine's."""
    if wanted is not None:
        return Path(wanted)
    own = environment.get("XDG_RUNTIME_DIR")
    return Path(own) / _NAME if own else Path("/dev/shm") / f"{_NAME}-{os.getuid()}"  # noqa: S108  made for its owner


def make_folder(folder: Path, *, owner: tuple[int, int] | None = None) -> None:
    """Make it, for its owner alone. Whatever is refused stays as it was: root could close ``/etc`` or ``/run`` to all.

    Args:
        folder: where. One that exists is taken if it is empty, or closed to others already.
        owner: uid and gid of who is to own it, where that is another than who makes it.

    Raises:
        SettingsError: it is not in memory, another's, or holds what is not the data plane's.
    """
    if not is_in_memory(folder):
        raise _unfit(folder, "is on a disk, where tokens would stay")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        uid = os.getuid() if owner is None else owner[0]
        if folder.is_symlink() or found.st_uid not in {os.getuid(), uid}:
            raise _unfit(folder, "is another user's")
        if found.st_mode & 0o077 and any(folder.iterdir()):
            raise _unfit(folder, "is open to others, and not empty")
        folder.chmod(0o700)
        if owner is not None:
            os.chown(folder, *owner)
    except OSError as exc:
        raise _unfit(folder, f"cannot be made: {exc.strerror}") from exc


def is_in_memory(folder: Path, mounts: str | None = None) -> bool:
    """Whether a folder is on a file system in memory; ``mounts`` is the system's list of them (proc(5))."""
    try:
        listed = _MOUNTS.read_text() if mounts is None else mounts
    except OSError:
        return False
    place, found = folder.resolve(), ("", "")
    for line in listed.splitlines():
        _, mount, kind, *_ = line.split(" ")
        if place.is_relative_to(mount) and len(mount) >= len(found[0]):
            found = mount, kind
    return found[1] in _IN_MEMORY


def _unfit(folder: Path, why: str) -> SettingsError:
    text = f"the folder {folder} {why}"
    return SettingsError(text, remedy="Set EDGE_FOLDER to a folder of your own in memory, such as one below /dev/shm.")
