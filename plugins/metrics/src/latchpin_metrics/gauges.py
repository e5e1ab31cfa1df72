"""What stands in the stores at the moment: pending authorizations, tokens by state. Read at most twice a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import latchpin
from latchpin.errors import LatchpinError
from latchpin.sdk.gateway import Services

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
        pending: authorizations that were begun and may still end; None without a history of flows.
        tokens: how many there are in each state.
        up: whether the store could be asked.
    """

    at: datetime
    pending: int | None = None
    tokens: dict[str, int] = field(default_factory=dict)
    up: bool = True

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus wants it; implements ``prometheus_client.registry.Collector``."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  see meters

        yield GaugeMetricFamily("latchpin_store_up", "Whether the record store answers.", value=float(self.up))
        info = GaugeMetricFamily("latchpin_info", "The gateway's version.", labels=["version"])
        info.add_metric([latchpin.__version__], 1)
        yield info
        if self.pending is not None:
            text = "Authorizations that were begun and may still end."
            yield GaugeMetricFamily("latchpin_pending_flows", text, value=self.pending)
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

    async def read(self, services: Services, catch_up: Callable[[], Awaitable[None]]) -> Snapshot:
        """What stands; a store that is away is said to be.

        Args:
            services: whose stores are read.
            catch_up: writes the steps of flows that this process keeps back, so that a flow that has ended counts so.
        """
        async with self._lock:
            now = services.clock()
            if self._last is None or self._next is None or now >= self._next:
                began = self._timer()
                try:
                    await catch_up()
                    self._last = await _look(services, now)
                except LatchpinError:
                    return Snapshot(now, up=False)
                self._next = now + max(EVERY, timedelta(seconds=SHARE * (self._timer() - began)))
            return self._last


async def _look(services: Services, now: datetime) -> Snapshot:
    tokens = await services.records.tokens.count(now)
    pending = None
    if services.settings.flow_history_hours:
        since = now - timedelta(seconds=services.settings.state_ttl_seconds)
        pending = await services.flows.count_pending(since)
    return Snapshot(now, pending, dict(tokens))
