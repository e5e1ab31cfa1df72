"""A PostgreSQL that copies another one, and can be made the primary."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.servers.databases import PostgresServer
from tests.servers.processes import HOST, drop_to

__all__ = ["StandbyServer"]


class StandbyServer(PostgresServer):
    """A standby of ``primary``, which from now on waits with every commit until the standby has it, too."""

    ready = "database system is ready to accept read-only connections"

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()
        self.password = primary.password
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        primary.execute("ALTER ROLE postgres SET synchronous_commit = remote_write")

    def promote(self) -> None:
        """Make it the primary, and return when it is."""
        self.execute("SELECT pg_promote()")
        self.execute("ALTER ROLE postgres RESET synchronous_commit")

    def _find_binaries(self) -> Path:
        return self._primary.binaries

    def _initialize(self) -> None:
        if self._user:
            shutil.chown(self.folder, self._user)
        command = [str(self.binaries / "pg_basebackup"), "-D", str(self._data), "-d", self._primary.url()]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **drop_to(self._user)
        )
        if done.returncode:
            raise RuntimeError(f"pg_basebackup from {HOST} failed:\n{done.stdout}{done.stderr}")
