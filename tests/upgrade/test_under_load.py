"""Workers of the version before serve while the schema is upgraded and workers of this version start: no call fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import GatewayBackend
from tests.upgrade.under_load import prove_upgrading

NEEDS = ("latchpin_proxy", "latchpin_sql_store")


@pytest.mark.slow
@pytest.mark.backends("sqlite", "postgres")
async def test_no_call_fails_while_the_schema_is_upgraded_and_both_versions_serve(
    backend: GatewayBackend, tmp_path: Path
):
    await prove_upgrading(backend, tmp_path)
