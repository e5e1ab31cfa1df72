"""What a thief of the store holds: every byte that it kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.servers import GatewayBackend

__all__ = ["dump"]

_TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'"


def dump(backend: GatewayBackend, server: Any) -> bytes:
    """All that ``backend`` keeps: SQLite's files, Redis's journal, every row of PostgreSQL."""
    if backend.name == "sqlite":
        path = Path(backend.environment["DATABASE_URL"].partition("///")[2])
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    if backend.name == "redis":
        return b"".join(file.read_bytes() for file in server._folder.rglob("*") if file.is_file())
    url = backend.environment["DATABASE_URL"]
    rows = [
        row
        for (table,) in server.execute(_TABLES, url=url)
        for (row,) in server.execute(f'SELECT t::text FROM "{table}" t', url=url)
    ]
    return "\n".join(rows).encode()
