"""Several workers count together, and the plugin's settings stop the start where they have to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.flow.rig import start_rig
from tests.flow.two_workers import one_browser_on_each
from tests.metrics.conftest import TOKEN
from tests.servers import GatewayBackend

REQUESTS = 20


@pytest.mark.slow
@pytest.mark.backends("sqlite")
async def test_workers_count_together(backend: GatewayBackend, tmp_path: Path):
    with start_rig(backend, tmp_path, "serve", "--workers", "2", METRICS_TOKEN=TOKEN, TMPDIR=str(tmp_path)) as rig:
        rig.process.wait_for_output("Application startup complete", times=2)
        async with one_browser_on_each(rig) as (first, second, _, _):
            both = (first._client, second._client)
            for client in both:
                for _ in range(REQUESTS):
                    assert (await client.get(f"{rig.url}/gateways")).status_code == 200
            for client in both:  # whichever worker is asked, the count is the same
                async with asyncio.timeout(60):
                    while (counted := await _counted(client, rig.url)) < 2 * REQUESTS:
                        pass  # a request is counted a moment after it was answered
                assert counted == 2 * REQUESTS
    assert len(_histograms(tmp_path)) == 2  # one for each worker


def _histograms(folder: Path) -> set[str]:
    """Whose counts there are."""
    names = {path.name for path in folder.glob("latchpin-metrics-*/*")}
    return {name.rpartition("_")[2] for name in names if name.startswith("histogram")}


async def _counted(client: httpx.AsyncClient, url: str) -> float:
    """How many requests for the list of gateways there have been."""
    answer = await client.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    lines = [line for line in answer.text.splitlines() if line.startswith("latchpin_request_seconds_count")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if '"/gateways"' in line)
