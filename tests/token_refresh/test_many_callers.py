"""However many callers find the token expired at the same moment, one request goes out, and everybody is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import GatewayBackend
from tests.token_refresh.conftest import call_at_once

CALLERS = 60
"""Enough to come at the same moment; ``benchmarks.refresh_storm`` has a thousand."""


@pytest.mark.slow
@pytest.mark.needs("latchpin_proxy")
@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_many_callers_of_two_workers_cost_one_refresh(backend: GatewayBackend, tmp_path: Path):
    outcome = await call_at_once(backend, tmp_path, callers=CALLERS)
    assert outcome.refreshes == 1
    assert outcome.statuses == {200: CALLERS}
    assert outcome.bearers == {"alice-access-1": CALLERS}
    assert len(outcome.workers) == 2, outcome.workers
    assert outcome.workers.total() == CALLERS
