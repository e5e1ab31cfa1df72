"""The schema of a MariaDB is upgraded below workers that serve, as that of the other databases is."""

from __future__ import annotations

from pathlib import Path

from tests.servers import GatewayBackend
from tests.upgrade.test_under_load import prove_upgrading


async def test_no_call_fails_while_the_schema_is_upgraded_and_both_versions_serve(
    mariadb_backend: GatewayBackend, tmp_path: Path
):
    await prove_upgrading(mariadb_backend, tmp_path)
