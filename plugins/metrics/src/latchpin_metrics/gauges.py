"""What stands at the moment: tokens by state, and what plugins count. Read at most twice a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Gauge
from latchpin.errors import LatchpinError
from latchpin.sdk.gateway import Application

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["Gauges", "Snapshot"]

EVERY = timedelta(seconds=30)
SHARE = 100
"""One part in so many of the time may go into looking: where it takes long, it is done less often."""


@dataclass(frozen=True, slots=True, eq=False)  # a registry keeps collectors by identity
class Snapshot:
    """What was found.

    Attributes:
        numbers: what plugins offer, those that there are now.
        tokens: how many there are in each state.
        up: whether the store could be asked.
    """

    at: datetime
    numbers: Mapping[Gauge, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    up: bool = True

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus wants it; implements ``prometheus_client.registry.Collector``."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  see meters

        yield GaugeMetricFamily("latchpin_store_up", "Whether the record store answers.", value=float(self.up))
        info = GaugeMetricFamily("latchpin_info", "The gateway's version.", labels=["version"])
        info.add_metric([latchpin.__version__], 1)
        yield info
        for gauge, value in self.numbers.items():
            yield GaugeMetricFamily(f"latchpin_{gauge.name}", gauge.about, value=value)
        tokens = GaugeMetricFamily("latchpin_tokens", "Users' tokens by state.", labels=["state"])
        for state, count in sorted(self.tokens.items()):
            tokens.add_metric([state], count)
        yield tokens


class Gauges:
    """Reads the stores, and remembers for a while: the longer, the longer a look takes."""

    def __init__(self, *, timer: Callable[[], float] = time.perf_counter) -> None:
        self._last: Snapshot | None = None
        self._next: datetime | None = None
        self._lock = asyncio.Lock()
        self._timer = timer

    async def read(self, application: Application) -> Snapshot:
        """What stands; a store that is away is said to be."""
        async with self._lock:
            now = application.services.clock()
            if self._last is None or self._next is None or now >= self._next:
                began = self._timer()
                try:
                    self._last = await _look(application, now)
                except LatchpinError:
                    return Snapshot(now, up=False)
                self._next = now + max(EVERY, timedelta(seconds=SHARE * (self._timer() - began)))
            return self._last


async def _look(application: Application, now: datetime) -> Snapshot:
    services = application.services
    read = {gauge: await gauge.read(application) for gauge in services.gauges}
    tokens = await services.records.tokens.count(now)
    return Snapshot(now, {gauge: value for gauge, value in read.items() if value is not None}, dict(tokens))
