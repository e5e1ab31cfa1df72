"""Flows that have only begun, many on one sheet: what a batch of authorizations leaves, written as one document.

A document for each, and the rows that it is found by, would be most of what an authorization costs a database. Most
flows go on before anybody looks, and are then written once and whole.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from latchpin.contracts import Collection
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import scan_all

from latchpin_flows.steps import FlowStep, describe_step, parse_step

__all__ = ["SHEETS", "FlowSheets", "Sheet", "has_only_begun"]

SHEETS = CollectionSpec("core_flow_sheets", disposable=True)

_PAGE = 5
"""Sheets read at once: a whole one takes 4 ms to read, in which nobody else is answered."""
_BEGINNING = frozenset({"begun", "stored", "redirected"})


def has_only_begun(steps: Sequence[FlowStep]) -> bool:
    """Whether all of ``steps`` are those of an authorization that was begun well."""
    return _BEGINNING.issuperset([step.step for step in steps])


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet.

    Attributes:
        id: begins with the time of its newest step.
        flows: the steps on it, by their flow.
        life: how long a flow is kept after its last step.
    """

    id: str
    flows: Mapping[str, Sequence[FlowStep]]
    life: timedelta


class FlowSheets:
    """Keeps sheets until they are taken apart."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    async def put(self, flows: Mapping[str, Sequence[FlowStep]], *, life: timedelta) -> None:
        """Write one sheet."""
        newest = max(map(attrgetter("at"), chain.from_iterable(flows.values())))
        held = {
            flow_id: {
                "gateway_id": steps[0].gateway_id,
                "app_user_email": steps[0].app_user_email,
                "steps": [describe_step(step) for step in steps],
            }
            for flow_id, steps in flows.items()
        }
        id_ = f"{index_time(newest)}.{secrets.token_hex(8)}"  # processes write at one moment
        await self._documents.put(
            Document(id_, {"life": life.total_seconds(), "flows": held}, expires_at=newest + life)
        )

    async def scan(self, *, before: datetime | None = None) -> AsyncIterator[Sheet]:
        """Those that stand now, the oldest first; where ``before`` is given, older ones only."""
        within = Span() if before is None else Span("", index_time(before))
        async for held in scan_all(self._documents, ID_INDEX, within, page=_PAGE):
            yield _read(held)

    async def delete(self, sheet: Sheet) -> None:
        """Remove one whose flows are kept elsewhere now."""
        await self._documents.delete(sheet.id)


def _read(held: Document) -> Sheet:
    flows = {
        flow_id: [parse_step(step, flow_id, of["gateway_id"], of["app_user_email"]) for step in of["steps"]]
        for flow_id, of in held.body["flows"].items()
    }
    return Sheet(held.id, flows, timedelta(seconds=held.body["life"]))
