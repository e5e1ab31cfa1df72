"""Several workers count together, and the plugin's settings stop the start where they have to."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.flow.rig import start_rig
from tests.metrics.conftest import TOKEN
from tests.servers import GatewayBackend

REQUESTS = 40


@pytest.mark.slow
@pytest.mark.backends("sqlite")
def test_workers_count_together(backend: GatewayBackend, tmp_path: Path):
    with start_rig(backend, tmp_path, "serve", "--workers", "2", METRICS_TOKEN=TOKEN, TMPDIR=str(tmp_path)) as rig:
        rig.process.wait_for_output("Application startup complete", times=2)
        for _ in range(REQUESTS):  # each on a connection of its own, so that both workers get some
            assert httpx.get(f"{rig.url}/health", trust_env=False).status_code == 200
        headers = {"Authorization": f"Bearer {TOKEN}"}
        counts = {_health(httpx.get(f"{rig.url}/metrics", headers=headers, trust_env=False).text) for _ in range(6)}
    assert len(counts) == 1, "whichever worker is asked, the count is the same"
    assert counts.pop() >= REQUESTS
    files = {path.name for path in tmp_path.glob("latchpin-metrics-*/*")}
    assert len({name.rpartition("_")[2] for name in files if name.startswith("histogram")}) == 2  # one for each worker


def _health(text: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith("latchpin_request_seconds_count")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if '"/health"' in line)
