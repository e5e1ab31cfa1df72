"""The history of flows: a document for each flow, with its steps, found by its user, gateway, cause and last step.

What has only begun is on a sheet with others at first. It gets its document when it goes on, when somebody looks, or
when it is late.
"""

from __future__ import annotations

import asyncio
import builtins
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from latchpin.contracts import Collection
from latchpin.errors import BackendUnavailable
from latchpin.model import ID_INDEX, CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import put_all, scan_all

from latchpin_flows.sheets import SHEETS, FlowSheets, has_only_begun
from latchpin_flows.steps import MOST_STEPS, FlowStep, dump_step, in_order, parse_steps
from latchpin_flows.summaries import FlowQuery, FlowSummary, summarize

__all__ = ["FLOWS", "FlowRecords"]

FLOWS = CollectionSpec("core_flows", ("last_at", "user", "gateway", "cause", "pending"), disposable=True)
"""Each index but the first begins with what it is named for, and goes on with the time of the last step."""

_ATTEMPTS = 20
_LONGEST_USER = 600
"""Bytes; an address of 254 characters may have more than a thousand."""
_MOST_OPEN = 2_000
"""Flows under way that this process remembers as it wrote them, and as many of which it wrote the beginning: some 4 MB
each."""
_PAGE = 100
_PURGED_AT_ONCE = 10_000

_ValueT = TypeVar("_ValueT")


class FlowRecords:
    """Keeps the steps of flows, written in batches and read by people. Losing some of it harms no flow.

    A deleted gateway's flows stay until they are purged: they may be why it was deleted.
    """

    def __init__(self, collection: Callable[[CollectionSpec], Collection]) -> None:
        self._documents = collection(FLOWS)
        self._sheets = FlowSheets(collection(SHEETS))
        self._open: dict[str, Document] = {}
        self._begun: dict[str, Sequence[FlowStep]] = {}

    async def append(self, steps: Sequence[FlowStep], *, life: timedelta) -> None:
        """Keep ``steps`` of any number of flows, each under its ``flow_id``, in whatever order they come.

        A step that is kept already is not kept twice, so a batch may be sent again. A flow keeps its first
        ``MOST_STEPS`` steps, and is gone ``life`` after its last one.

        Raises:
            BackendUnavailable: some may be kept.
        """
        flows: dict[str, builtins.list[FlowStep]] = {}
        for step in steps:
            flows.setdefault(step.flow_id, []).append(step)
        begun = {each: more for each, more in flows.items() if each not in self._open and has_only_begun(more)}
        for flow_id, more in begun.items():
            del flows[flow_id]
            _put_last(self._begun, flow_id, [*self._begun.get(flow_id, ()), *more])
        whole = {flow_id: [*self._begun.get(flow_id, ()), *more] for flow_id, more in flows.items()}
        if begun:
            await self._sheets.put(begun, life=life)
        await self._write(whole, {flow_id: self._open.get(flow_id) for flow_id in whole}, life)
        for flow_id in whole:
            self._begun.pop(flow_id, None)

    async def _write(
        self, flows: Mapping[str, Sequence[FlowStep]], held: Mapping[str, Document | None], life: timedelta
    ) -> None:
        """Write documents, over those that are ``held``."""
        for _ in range(_ATTEMPTS):
            if not flows:
                return
            extended = (_extended(held[flow_id], flow_id, more, life) for flow_id, more in flows.items())
            changed = [document for document in extended if document is not None]
            stored = await put_all(self._documents, changed) if changed else ()
            for document in filter(None, stored):
                self._remember(document)
            flows = {old.id: flows[old.id] for old, new in zip(changed, stored, strict=True) if new is None}
            held = dict(zip(flows, await asyncio.gather(*map(self._documents.get, flows)), strict=True))
        raise BackendUnavailable("the history of flows is written by others all the time")

    async def settle(self, *, before: datetime | None = None) -> None:
        """Give each flow that is on a sheet its document; where ``before`` is given, those on older sheets only.

        Raises:
            BackendUnavailable: some may have it.
        """
        async for sheet in self._sheets.scan(before=before):
            held = await asyncio.gather(*map(self._documents.get, sheet.flows))
            await self._write(sheet.flows, dict(zip(sheet.flows, held, strict=True)), sheet.life)
            await self._sheets.delete(sheet)

    async def get(self, flow_id: str) -> tuple[FlowStep, ...]:
        """One flow's steps as they happened; empty if there are none."""
        await self.settle()
        held = await self._documents.get(flow_id)
        return () if held is None else tuple(in_order(_steps(held)))

    async def ids(self, prefix: str, *, limit: int) -> builtins.list[str]:
        """At most ``limit`` ids that begin with ``prefix``, which is not empty."""
        await self.settle()
        return [held.id for held in await self._documents.scan(ID_INDEX, Span.prefix(prefix), limit=limit)]

    async def purge(self, *, before: datetime, most: int) -> int:
        """Remove flows whose last step is before ``before``, and beyond ``most`` the oldest. Return how many."""
        old = await self._documents.count("last_at", Span("", index_time(before)))
        over = min(max(old, await self._documents.count() - most), _PURGED_AT_ONCE)
        removed = 0
        while over > 0 and (page := await self._documents.scan("last_at", limit=min(over, _PAGE))):
            gone = await asyncio.gather(*(self._documents.delete(held.id) for held in page))
            removed += sum(gone)
            over -= len(page)
        return removed

    async def list(self, query: FlowQuery, *, limit: int) -> builtins.list[FlowSummary]:
        """At most ``limit`` flows that match, the one with the newest last step first.

        Of several at one moment the one with the largest id comes first.
        """
        await self.settle()
        found: builtins.list[FlowSummary] = []
        async for flow in self._newest(query, min(limit, _PAGE)):
            if query.matches(flow):
                found.append(flow)
            if len(found) >= limit:
                break
        return found

    async def count_pending(self, since: datetime) -> int:
        """How many flows are under way whose last step is not before ``since``."""
        on_sheets = set[str]()
        async for sheet in self._sheets.scan():
            on_sheets |= {each for each, steps in sheet.flows.items() if steps[-1].at >= since}
        held = await asyncio.gather(*map(self._documents.get, on_sheets))
        return held.count(None) + await self._documents.count("pending", Span(index_time(since)))

    async def _newest(self, query: FlowQuery, page_size: int) -> AsyncIterator[FlowSummary]:
        index, begin = _index_of(query)
        within = Span.prefix(begin)
        after = None if query.before is None else (begin + index_time(query.before), query.before_id)
        async for held in scan_all(self._documents, index, within, after=after, newest_first=True, page=page_size):
            yield summarize(in_order(_steps(held)))

    def _remember(self, document: Document) -> None:
        """Its next steps are written without a look, while it goes on here."""
        self._open.pop(document.id, None)
        if "pending" in document.fields:
            _put_last(self._open, document.id, document)


def _put_last(held: dict[str, _ValueT], flow_id: str, value: _ValueT) -> None:
    """Hold it as the newest; of too many the oldest goes."""
    held.pop(flow_id, None)
    while len(held) >= _MOST_OPEN:
        del held[next(iter(held))]
    held[flow_id] = value


def _index_of(query: FlowQuery) -> tuple[str, str]:
    """The narrowest index that has every flow that matches, and how its values begin there."""
    if query.app_user_email is not None:
        return "user", f"{_user(query.app_user_email)}\n"
    if query.cause is not None:
        return "cause", f"{query.cause}\n"
    if query.outcome == "pending":
        return "pending", ""
    if query.gateway_id is not None:
        return "gateway", f"{query.gateway_id}\n"
    return "last_at", ""


def _user(email: str) -> str:
    """How an address stands in the index: as it is, or its hash where it has more bytes than a field may."""
    text = email.encode()
    return email if len(text) <= _LONGEST_USER else hashlib.sha256(text).hexdigest()


def _extended(held: Document | None, flow_id: str, more: Sequence[FlowStep], life: timedelta) -> Document | None:
    """The flow with ``more``; None if it has all of it, or is full."""
    kept: builtins.list[str] = [] if held is None else builtins.list(held.body["steps"])
    known = set(kept)
    new = {line: step for step in more if (line := dump_step(step)) not in known}
    lines = [*kept, *new][: max(len(kept), MOST_STEPS)]
    if held is not None and len(lines) == len(kept):
        return None
    earlier = [] if held is None else _steps(held)
    flow = summarize(in_order([*earlier, *builtins.list(new.values())[: len(lines) - len(kept)]]))
    last_at = index_time(flow.last_at)
    fields = {
        "last_at": last_at,
        "user": f"{_user(flow.app_user_email)}\n{last_at}",
        "gateway": f"{flow.gateway_id}\n{last_at}",
    }
    if flow.cause is not None:
        fields["cause"] = f"{flow.cause}\n{last_at}"
    if flow.outcome == "pending":
        fields["pending"] = last_at
    revision = 0 if held is None else held.revision
    of = {"gateway_id": more[0].gateway_id, "app_user_email": more[0].app_user_email}
    return Document(flow_id, of | {"steps": lines}, fields, revision, flow.last_at + life)


def _steps(held: Document) -> builtins.list[FlowStep]:
    of = {name: str(held.body[name]) for name in ("gateway_id", "app_user_email")}
    return parse_steps(held.body["steps"], flow_id=held.id, **of)
