"""What is counted. No label holds a user, a secret, or anything that a caller can choose freely."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from latchpin.sdk.settings import load
from latchpin.sdk.workers import which_worker

from latchpin_metrics.settings import MetricsSettings
from latchpin_metrics.tallies import SECONDS, Tallies

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

__all__ = ["EVERY", "Meters", "hand_on", "meters"]

_log = logging.getLogger("latchpin.metrics")

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client reads it when it is imported."""

CALL_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The buckets of ``mcp.server.operation.duration`` (OpenTelemetry's semantic conventions for MCP)."""
CALL_LABELS = (
    "mcp_method_name",
    "gen_ai_operation_name",
    "gen_ai_tool_name",
    "gen_ai_prompt_name",
    "error_type",
    "rpc_response_status_code",
    "mcp_protocol_version",
    "network_transport",
    "network_protocol_name",
)
"""Its attributes, as Prometheus writes them."""

EVERY = 1.0
"""Seconds after which what a worker counted is in the folder that it shares with others."""


class Counters(dict[tuple[str, ...], "Counter"]):
    """A counter's children by their labels, each looked up once: ``labels()`` checks and locks every time."""

    def __init__(self, metric: Counter) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        """Make the child."""
        child = self[labels] = self._metric.labels(*labels)
        return child


@dataclass(frozen=True, slots=True)
class Meters:
    """Those of this process; with a shared folder its workers' together.

    Attributes:
        shared: other workers read what this one counted.
    """

    registry: CollectorRegistry
    shared: bool
    flows: Counters
    steps: Tallies
    refreshes: Counters
    disconnects: Counter
    fetches: Counters
    requests: Tallies
    upstream: Tallies
    store: Tallies
    calls: Tallies

    def hand_on(self) -> None:
        """Let Prometheus' client know all that was observed."""
        for each in (self.steps, self.requests, self.upstream, self.store, self.calls):
            each.hand_on()


@cache
def meters() -> Meters:
    """Make them, once for the process; importing prometheus_client waits until here."""
    folder = _open_folder(load(MetricsSettings))
    if folder is not None:
        os.environ[SHARED] = str(folder)
    from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415  after the folder is known
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    own = CollectorRegistry()
    made = Meters(
        registry=CollectorRegistry() if folder is not None else own,
        shared=folder is not None,
        flows=_count(Counter, "flows", "Authorizations by what became of them.", ["outcome", "cause"], own),
        steps=_seconds(Histogram, "flow_step", "Steps of an authorization.", ["step"], own),
        refreshes=_count(Counter, "refreshes", "Renewals of users' tokens.", ["outcome"], own),
        disconnects=Counter("latchpin_disconnects", "Connections that were ended.", registry=own),
        fetches=_count(Counter, "tool_fetches", "Fetches of tools.", ["outcome", "cause"], own),
        requests=_seconds(Histogram, "request", "Requests to the gateway.", ["method", "route", "status"], own),
        upstream=_seconds(Histogram, "upstream", "Requests to other servers.", ["method", "host", "outcome"], own),
        store=_seconds(Histogram, "store", "Calls of the stores.", ["operation", "outcome"], own),
        calls=Tallies(
            Histogram(
                "mcp_server_operation_duration_seconds",
                "MCP requests and notifications, from when they came until their answers had ended.",
                CALL_LABELS,
                registry=own,
                buckets=CALL_SECONDS,
            ),
            CALL_SECONDS,
        ),
    )
    if folder is not None:
        MultiProcessCollector(made.registry)  # type: ignore[no-untyped-call]
    return made


async def hand_on() -> None:
    """Hand on for the other workers, from time to time, and a last time when this is cancelled."""
    try:
        while True:
            await asyncio.sleep(EVERY)
            if meters.cache_info().currsize and meters().shared:
                meters().hand_on()
    finally:
        if meters.cache_info().currsize:
            meters().hand_on()


def _count(kind: type[Counter], what: str, text: str, labels: list[str], registry: CollectorRegistry) -> Counters:
    return Counters(kind(f"latchpin_{what}", text, labels, registry=registry))


def _seconds(kind: type[Histogram], what: str, text: str, labels: list[str], registry: CollectorRegistry) -> Tallies:
    metric = kind(f"latchpin_{what}_seconds", f"{text} In seconds.", labels, registry=registry, buckets=SECONDS)
    return Tallies(metric)


def _open_folder(settings: MetricsSettings) -> Path | None:
    """Where the workers of one instance count together; None where there is one process, or the place is not ours."""
    if settings.metrics_folder is not None:
        folder = Path(settings.metrics_folder)
    elif which_worker() is not None:
        folder = _folder_of_workers(Path(tempfile.gettempdir()))
    else:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        _log.warning("%s belongs to another user: each worker counts by itself; set METRICS_FOLDER", folder)
        return None
    return folder


def _folder_of_workers(place: Path) -> Path:
    """A folder for those with our parent, the supervisor; what supervisors that are gone left there is removed."""
    for other in place.glob(f"latchpin-metrics-{os.getuid()}-*"):
        if not Path(f"/proc/{other.name.split('-')[3]}").exists() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)
    parent = os.getppid()
    try:  # its start time tells it from an earlier process of that number
        began = Path(f"/proc/{parent}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    except OSError:
        began = "0"
    return place / f"latchpin-metrics-{os.getuid()}-{parent}-{began}"
