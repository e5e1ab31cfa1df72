"""Several workers count together, and the plugin's settings stop the start where they have to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from latchpin.errors import SettingsError
from latchpin_metrics.plugin import latchpin_observers
from latchpin_metrics.settings import MetricsSettings
from latchpin_testing import SuiteContext

from tests.metrics.test_metrics import TOKEN
from tests.servers import GatewayBackend
from tests.support.gateway_process import deploy_gateway, one_browser_on_each

REQUESTS = 20


@pytest.mark.slow
@pytest.mark.backends("sqlite")
async def test_workers_count_together(backend: GatewayBackend, tmp_path: Path):
    with deploy_gateway(
        backend, tmp_path, "serve", "--workers", "2", METRICS_TOKEN=TOKEN, TMPDIR=str(tmp_path)
    ) as deployed:
        deployed.process.wait_for_output("Application startup complete", times=2)
        async with one_browser_on_each(deployed) as (first, second, _, _):
            both = (first._client, second._client)
            for client in both:
                for _ in range(REQUESTS):
                    assert (await client.get(f"{deployed.url}/gateways")).status_code == 200
            for client in both:  # whichever worker is asked, the count is the same
                async with asyncio.timeout(60):
                    while (counted := await _counted(client, deployed.url)) < 2 * REQUESTS:
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


@pytest.mark.parametrize("name", ["file", "file/below"])
async def test_a_folder_that_cannot_be_used_stops_the_start(name: str, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    [counting] = [each for each in latchpin_observers() if each.name == "metrics"]
    async with SuiteContext() as context:
        with pytest.raises(SettingsError, match=r"METRICS_FOLDER .* cannot be used") as caught:
            async with counting.open(MetricsSettings(metrics_folder=str(tmp_path / name)), context):
                pass
    assert "METRICS_FOLDER" in caught.value.remedy


async def test_a_folder_that_is_not_there_is_made(tmp_path: Path):
    [counting] = [each for each in latchpin_observers() if each.name == "metrics"]
    folder = tmp_path / "counts" / "of-all"
    async with SuiteContext() as context, counting.open(MetricsSettings(metrics_folder=str(folder)), context):
        assert folder.stat().st_mode & 0o777 == 0o700
