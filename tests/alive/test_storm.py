"""However many callers find the token expired at the same moment, one request goes out, and everybody is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alive.storm import storm
from tests.servers import GatewayBackend


@pytest.mark.slow
@pytest.mark.needs("latchpin_proxy")
@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_thousand_callers_of_two_workers_cost_one_refresh(backend: GatewayBackend, tmp_path: Path):
    outcome = await storm(backend, tmp_path, callers=1000)
    assert outcome.refreshes == 1
    assert outcome.statuses == {200: 1000}
    assert outcome.bearers == {"alice-access-1": 1000}
    assert len(outcome.workers) == 2, outcome.workers
    assert outcome.workers.total() == 1000
