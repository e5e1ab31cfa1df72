"""PgBouncer in transaction mode, in front of a PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.databases import PostgresServer
from tests.servers.processes import HOST, Reservation, ServerProcess
from tests.servers.programs import PROGRAMS, find_pgbouncer

# As Debian configures it, but for where it is: no parameter of a start is ignored.
_CONFIGURATION = """
[databases]
* = host={host} port={server} user=postgres password={password}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users
admin_users = postgres
pool_mode = transaction
default_pool_size = {size}
server_login_retry = 1
"""


class PgBouncer:
    """One in front of ``server``.

    Args:
        server: whose connections it hands out.
        size: how many it has of each database.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self, server: PostgresServer, *, size: int = 4) -> None:
        program = find_pgbouncer()
        if program is None:
            raise RuntimeError(f"PgBouncer is needed: apt-get install {' '.join(PROGRAMS['pgbouncer'].packages)}")
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-pgbouncer-"))
        self._reservation = Reservation()
        self.port = self._reservation.port
        user = "nobody" if os.getuid() == 0 else None  # it refuses to run as root
        password = urlsplit(server.url()).password or ""
        (self._folder / "users").write_text(f'"postgres" "{password}"\n')
        file = self._folder / "pgbouncer.ini"
        file.write_text(
            _CONFIGURATION.format(
                host=HOST, server=server.port, port=self.port, password=password, folder=self._folder, size=size
            )
        )
        for path in (self._folder, *self._folder.iterdir()):
            if user:
                shutil.chown(path, user)
        self._process = ServerProcess([program, str(file)], cwd=self._folder, user=user, folder=self._folder)
        self._process.wait_for_output("process up")

    def url(self, direct: str) -> str:
        """The URL of the same database through it."""
        return direct.replace(f":{self._server.port}/", f":{self.port}/")

    def close(self) -> None:
        """Stop it."""
        self._process.stop()
        self._reservation.close()
        shutil.rmtree(self._folder, ignore_errors=True)
