"""What keeps the history of flows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from latchpin.model.flow_steps import FlowQuery, FlowStep, FlowSummary

__all__ = ["FlowRecords"]


class FlowRecords(Protocol):
    """The steps of flows, written in batches and read by people. Losing some of it harms no flow.

    A deleted gateway's flows stay until they are purged: they may be why it was deleted.
    """

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:
        """Keep ``steps`` of any number of flows, each under its ``flow_id``, in whatever order they come.

        A step that is kept already is not kept twice, so a batch may be sent again. A flow keeps its first
        ``MOST_STEPS`` steps. A store that forgets by itself forgets a flow ``life`` after its last append; others
        wait for ``purge``.

        Raises:
            BackendUnavailable: some may be kept.
        """

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps as they happened; empty if there are none."""

    async def purge(self, *, before: datetime, most: int) -> int:
        """Remove flows whose last step is before ``before``, and beyond ``most`` the oldest. Return how many."""

    async def list(self, query: FlowQuery, *, limit: int) -> list[FlowSummary]:
        """At most ``limit`` flows that match, the one with the newest last step first.

        Of several at one moment the one with the largest id comes first.
        """
