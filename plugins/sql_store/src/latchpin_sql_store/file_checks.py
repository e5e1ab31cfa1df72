"""Is an SQLite file in a good place: writable, with its log, on a local disk, and shared by all who need it?"""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path
from shlex import quote

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.errors import AuthorizationRequired, BackendUnavailable
from sqlalchemy import URL, Connection, text

from latchpin_sql_store.engine import sqlite_file

__all__ = ["check_file", "check_sharing", "filesystem_of"]

MOUNTS = Path("/proc/self/mounts")
OVER_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"}
)
SERVER = "Set DATABASE_URL to a database server such as postgresql://..., or CACHE_TYPE and RECORD_STORE to redis."
A_SERVER = "DATABASE_URL=postgresql://latchpin:password@db.example.com/latchpin"


def check_file(file: Path, connection: Connection | None) -> list[Finding]:
    """The file and its folder; ``connection`` is None if it is not there yet."""
    findings = [_writable(file), _place(file)]
    if connection is not None:
        findings.append(_log(connection, file))
    wrong = [finding for finding in findings if finding is not None]
    return wrong or [Finding(Severity.OK, f"SQLite {sqlite3.sqlite_version} can write to {file}")]


def check_sharing(url: URL, context: CheckContext) -> list[Finding]:
    """Whether what is in a local file would have to be seen by other machines."""
    state, record, here = context.state_backend, context.record_backend, socket.gethostname()
    if sqlite_file(url) is None or state is None or record is None:
        return []
    if record.name == "database" and state.name != "database" and state.shared:
        title = f"States are shared through {state.label}, and gateways and tokens are in a local SQLite file"
        detail = "Replicas on other machines would not share tokens."
        return [Finding(Severity.WARNING, title, detail, SERVER, A_SERVER, AuthorizationRequired.code)]
    hosts = sorted({instance.host for instance in context.instances} - {here})
    if state.name == "database" and hosts:
        title = "Instances on other machines cannot see the states in a local SQLite file"
        detail = f"They run on {', '.join(hosts[:10])}."
        return [Finding(Severity.FAILURE, title, detail, SERVER, A_SERVER, "state-never-stored")]
    return []


def filesystem_of(path: Path, *, mounts: Path = MOUNTS) -> str:
    """The kind of file system that ``path`` is on, ``""`` where that is not known."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found = [(Path(words[1].replace("\\040", " ")), words[2]) for line in lines if len(words := line.split()) > 2]  # noqa: PLR2004
    above = [(folder, kind) for folder, kind in found if path.is_relative_to(folder)]
    return max(above, key=lambda entry: len(entry[0].parts), default=(path, ""))[1]


def _writable(file: Path) -> Finding | None:
    """SQLite writes its log and locks beside the file, so it needs the folder too."""
    folder = file.parent
    if not folder.is_dir():
        title, detail = f"The folder {folder} does not exist", "DATABASE_URL names it."
        command = f"mkdir -p {quote(str(folder))}"
        return Finding(Severity.FAILURE, title, detail, "Make it, or correct DATABASE_URL.", command, _CAUSE)
    for path in (folder, file):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            title, command = f"{path} cannot be written", f"ls -ld {quote(str(path))}"
            remedy = "Give it to the user who runs the gateway."
            return Finding(Severity.FAILURE, title, "SQLite can keep nothing.", remedy, command, _CAUSE)
    return None


def _place(file: Path) -> Finding | None:
    kind = filesystem_of(file.parent.resolve())
    if kind not in OVER_NETWORK and not kind.startswith("fuse.ssh"):
        return None
    title = f"The SQLite file is on a network file system ({kind})"
    detail = "Its locks and its write-ahead log do not work there: data are lost or damaged."
    remedy, command = f"Move it to a local disk. {SERVER}", f"df -T {quote(str(file))}"
    return Finding(Severity.FAILURE, title, detail, remedy, command, _CAUSE)


def _log(connection: Connection, file: Path) -> Finding | None:
    mode = str(connection.execute(text("PRAGMA journal_mode")).scalar_one()).lower()
    if mode == "wal":
        return None
    detail = f"Its journal mode is {mode}: readers wait for writers, and the other way round."
    command = f"sqlite3 {quote(str(file))} 'PRAGMA journal_mode = WAL'"
    return Finding(Severity.WARNING, "The SQLite file has no write-ahead log", detail, "Switch it on.", command, _CAUSE)


_CAUSE = BackendUnavailable.code
