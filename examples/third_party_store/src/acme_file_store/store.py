"""A state is a file; that it was used is a second one. Linking a finished file to a new name is the atomic step."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, StateAlreadyUsed, StateConflict, StateExpired, StateNotFound
from latchpin.model import PendingAuthorization, StateKey
from pydantic import TypeAdapter

Arguments = ParamSpec("Arguments")
ResultT = TypeVar("ResultT")
_pending = TypeAdapter(PendingAuthorization)


class FileStateStore:
    """Implements ``latchpin.contracts.StateStore`` in ``folder``."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    async def put(self, pending: PendingAuthorization) -> None:
        """Create ``<digest>.json``."""
        await self._in_thread(self._put, pending)

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Create ``<digest>.used``, which one caller can, and remove ``<digest>.json``."""
        return await self._in_thread(self._consume, self._file(key))

    async def purge(self, *, everything: bool = False) -> int:
        """Remove the files that are over, or all."""
        return await self._in_thread(self._purge, everything)

    async def check(self) -> None:
        """Create a file and remove it."""
        await self._in_thread(self._probe)

    def _put(self, pending: PendingAuthorization) -> None:
        file = self._file(pending.key)
        if file.with_suffix(".used").exists() or not self._create(file, _pending.dump_json(pending)):
            raise StateConflict("there is a file for it already")

    def _consume(self, file: Path) -> PendingAuthorization:
        try:
            pending = _pending.validate_json(file.read_bytes())
        except FileNotFoundError:
            raise self._absence(file) from None
        now = self._clock()
        if pending.expires_at <= now:
            raise StateExpired("its time was over", expired_at=pending.expires_at)
        tombstone = {"used_at": now.isoformat(), "expires_at": pending.expires_at.isoformat()}
        if not self._create(file.with_suffix(".used"), json.dumps(tombstone).encode()):
            raise self._absence(file)
        file.unlink()
        return pending

    def _absence(self, file: Path) -> StateAlreadyUsed | StateNotFound:
        try:
            tombstone = json.loads(file.with_suffix(".used").read_bytes())
        except FileNotFoundError:
            return StateNotFound("there is no file for it")
        return StateAlreadyUsed(used_at=datetime.fromisoformat(tombstone["used_at"]))

    def _purge(self, everything: bool) -> int:
        removed = 0
        for file in [*self._folder.glob("*.json"), *self._folder.glob("*.used")]:
            with suppress(FileNotFoundError):  # consumed, or purged by somebody else, meanwhile
                ends = datetime.fromisoformat(json.loads(file.read_bytes())["expires_at"])
                if everything or ends <= self._clock():
                    file.unlink()
                    removed += 1
        return removed

    def _create(self, file: Path, content: bytes) -> bool:
        """Make ``file`` appear with its whole content, or say False if it exists."""
        draft = self._folder / f"{uuid4().hex}.draft"
        try:
            draft.write_bytes(content)
            os.link(draft, file)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _probe(self) -> None:
        probe = self._folder / f"{uuid4().hex}.probe"
        self._create(probe, b"")
        probe.unlink()

    def _file(self, key: StateKey) -> Path:
        return self._folder / (hashlib.sha256(f"{key.gateway_id}\n{key.state}".encode()).hexdigest() + ".json")

    async def _in_thread(
        self, work: Callable[Arguments, ResultT], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> ResultT:
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except OSError as exc:
            raise BackendUnavailable(f"the folder {self._folder}: {exc.strerror}") from exc
