"""The machine's own MariaDB, where it has one: a server with its data in a temporary folder."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.optional import PROGRAMS, find_mariadb
from tests.servers.processes import HOST, Reservation, ServerProcess, drop_to

__all__ = ["MariadbServer"]

_FAST = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-name-resolve")


class MariadbServer:
    """A server on a port of its own.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self) -> None:
        program = find_mariadb()
        if program is None:
            packages = " ".join(PROGRAMS["mariadb"].packages)
            raise RuntimeError(f"MariaDB's server (mariadbd) is needed: apt-get install {packages}")
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-mariadb-"))
        self._user = "nobody" if os.getuid() == 0 else None  # it refuses to run as root
        self._password = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._reservation = Reservation()
        self._process: ServerProcess | None = None
        self.port = self._reservation.port
        try:
            self._initialize()
            self._start(program)
        except BaseException:
            self.close()
            raise

    def create_database(self) -> str:
        """Create an empty database and return its URL, as DATABASE_URL takes it."""
        import pymysql  # type: ignore[import-untyped]  # only the cell that tests MariaDB has it

        name = f"latchpin_{next(self._numbers)}"
        login = {"host": HOST, "port": self.port, "user": "latchpin", "password": self._password}
        with pymysql.connect(**login) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mariadb://latchpin:{self._password}@{HOST}:{self.port}/{name}"

    def close(self) -> None:
        """Stop for good and remove the data."""
        if self._process is not None:
            self._process.stop()
        self._reservation.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialize(self) -> None:
        if self._user:
            shutil.chown(self._folder, self._user)
        program = shutil.which("mariadb-install-db")
        assert program, "mariadb-install-db is needed beside mariadbd"
        command = [program, "--no-defaults", f"--datadir={self._folder / 'data'}", "--skip-test-db"]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, **drop_to(self._user)
        )
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")

    def _start(self, program: str) -> None:
        account = self._folder / "account.sql"
        account.write_text(
            f"CREATE OR REPLACE USER latchpin@'{HOST}' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO latchpin@'{HOST}';\n"
        )
        command = [program, "--no-defaults", f"--datadir={self._folder / 'data'}", f"--bind-address={HOST}", *_FAST]
        command += [f"--port={self.port}", f"--socket={self._folder / 'socket'}", f"--init-file={account}"]
        command += [f"--pid-file={self._folder / 'pid'}"]
        self._process = ServerProcess(command, cwd=self._folder, user=self._user, folder=self._folder)
        self._process.wait_for_output("ready for connections", timeout=60)
