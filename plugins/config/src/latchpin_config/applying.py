"""Writing what files want: all of it, or nothing.

No store has a transaction over gateways and what plugins keep, so this is in its place: everything is judged first;
one lease lets one apply write at a time; each write replaces only what was judged; and when one fails, what was written
is put back. Others may see what stands in between, for as long as the writing takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from latchpin.contracts import ConfigurationKind, StandingEntry
from latchpin.errors import Conflict, InvalidRequest, LatchpinError, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application

from latchpin_config.facts import APPLIED, PUT_BACK
from latchpin_config.marks import Mark, Marks, Unfinished
from latchpin_config.planning import Action, Plan, State, Step, make_plan, read_state
from latchpin_config.secret_sources import SecretSources
from latchpin_config.wanted import WantedEntry

__all__ = ["NotApplied", "Order", "apply"]

ResultT = TypeVar("ResultT")

LIFE = timedelta(minutes=10)
"""Of the lease: who was killed keeps others waiting for that long."""
WITHIN = timedelta(minutes=8)
"""For the writing: what is left of the lease is for putting back."""
_SIDE_BY_SIDE = 20
"""So many are removed at a time."""
WAIT = timedelta(seconds=30)
"""For another apply to end."""

Progress = Callable[[int, int, Step], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be applied.

    Attributes:
        source: what the files are called together.
        prune: remove what was applied from that source before and is gone from it.
        removing: with ``prune``, the removals that were agreed to, by kind and name; None: whatever they are.
    """

    wanted: Sequence[WantedEntry]
    source: str
    prune: bool = False
    take_over: bool = False
    removing: frozenset[tuple[str, str]] | None = None


class NotApplied(Exception):
    """Something could not be written. ``str()`` says what, and what was put back."""


async def apply(
    application: Application,
    kinds: Sequence[ConfigurationKind],
    order: Order,
    sources: SecretSources,
    caller: Caller,
    *,
    tell: Progress = lambda *_: None,
) -> Plan:
    """Apply files, and return what was done. With problems in the plan nothing is written.

    Raises:
        Conflict: another apply is under way and does not end, or what is to be removed has become more.
        NotApplied: a write failed; what was written is put back.
        BackendUnavailable: the store cannot be asked; nothing was written.
    """
    try:
        async with application.services.leases.hold("configuration", (), life=LIFE, wait=WAIT):
            state = await read_state(application, kinds, caller)
            plan = await make_plan(
                state,
                order.wanted,
                sources,
                source=order.source,
                prune=order.prune,
                take_over=order.take_over,
            )
            removed = {(step.kind, step.name) for step in plan.steps if step.action == "remove"}
            if order.removing is not None and not removed <= order.removing:
                raise Conflict("more would be removed than was agreed to", remedy="Look again: latchpin diff --prune")
            if not plan.problems:
                await _Writing(application, state, plan, order, caller).write(tell)
            return plan
    except TimeoutError as exc:
        raise Conflict("another apply is under way", remedy="Wait until it has ended, and run this again.") from exc


@dataclass(slots=True, eq=False)
class _Done:
    """A step that was begun; ``id`` is what it made, once that is known."""

    step: Step
    id: str = ""


def _batches(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """One after the other, but for removals of one kind: each of those may wait for other servers."""
    batch: list[Step] = []
    for step in steps:
        together = bool(batch) and step.action == batch[-1].action == "remove" and step.kind == batch[-1].kind
        if batch and (not together or len(batch) >= _SIDE_BY_SIDE):
            yield batch
            batch = []
        batch.append(step)
    if batch:
        yield batch


class _Writing:
    """Writes one plan, and knows what to put back."""

    def __init__(self, application: Application, state: State, plan: Plan, order: Order, caller: Caller) -> None:
        self._services = application.services
        self._marks = Marks.of(application.services.context)
        self._state = state
        self._plan = plan
        self._order = order
        self._caller = caller
        self._done: list[_Done] = []
        self._failed: Step | None = None
        self._made: dict[str, list[StandingEntry]] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._marking: set[tuple[str, str]] = set()

    async def write(self, tell: Progress) -> None:
        steps = self._plan.writes
        if steps:
            await self._marks.begin(Unfinished(self._order.source, self._services.clock(), self._caller.email))
        try:
            async with asyncio.timeout(WITHIN.total_seconds()):
                number = 0
                for batch in _batches(steps):
                    number += len(batch)
                    tell(number, len(steps), batch[-1])
                    await self._write_all(batch)
                await _whole(self._mark())
        except BaseException as exc:
            failed, _ = await _to_the_end(self._put_back())
            if isinstance(exc, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
                raise
            raise NotApplied(_explain(exc, self._failed, failed)) from exc
        if steps:
            await self._marks.end()
            counts = {name: str(self._plan.count(action)) for name, action in _COUNTED.items()}
            await self._services.activity.tell(APPLIED, actor=self._caller.email, source=self._order.source, **counts)

    async def _write_all(self, batch: Sequence[Step]) -> None:
        """Each of them, side by side; all have ended when one has failed."""
        for result in await asyncio.gather(*map(self._write, batch), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _write(self, step: Step) -> None:
        done = _Done(step)
        self._done.append(done)
        try:
            done.id = await _whole(self._do(step))
        except _WROTE_NOTHING:
            self._done.remove(done)  # what is there is somebody else's: it is not undone
            self._failed = step
            raise
        except BaseException:
            self._failed = step
            raise

    async def _do(self, step: Step) -> str:
        entries = self._state.opened[step.kind]
        if step.action == "remove" and step.standing is not None:
            with suppress(NotFound):  # somebody else was faster
                await entries.remove(step.standing)
        if step.entry is None:
            return ""
        entry_id = await entries.put(step.name, step.entry, step.standing, self._state.names)
        self._ids[step.kind, step.name] = entry_id
        self._state.names.came(step.kind, step.name, entry_id)
        return entry_id

    async def _mark(self) -> None:
        """Remember what is ruled from here on, and forget what is gone or was let go."""
        now, wanted = self._services.clock(), set[tuple[str, str]]()
        marks: list[Mark] = []
        for step in self._plan.steps:
            if step.wanted is None:
                continue
            standing = "" if step.standing is None else step.standing.id
            entry_id = self._ids.get((step.kind, step.name), standing)
            where = step.wanted.place.line_of_file
            earlier = self._state.marks.get((step.kind, entry_id))
            mark = Mark(step.kind, step.name, entry_id, self._order.source, where, now, self._caller.email)
            wanted.add((step.kind, entry_id))
            if earlier is None or not mark.same(earlier) or step.action != "same":
                marks.append(replace(mark, revision=0 if earlier is None else earlier.revision))
        self._marking = {(each.kind, each.entry) for each in marks}
        await self._marks.put_all(marks)
        there = {(kind, each.id) for kind, entries in self._state.standing.items() for each in entries}
        removed = {
            (step.kind, step.standing.id) for step in self._plan.steps if step.action == "remove" and step.standing
        }
        for key in self._state.marks.keys() - wanted:
            if key in removed or (key not in there and key[0] in self._state.standing):
                await self._marks.drop(*key)

    async def _put_back(self) -> list[Step]:
        """Undo what was written, the last first; what could not be undone is returned."""
        failed: list[Step] = []
        for done in reversed(self._done):
            try:
                await self._undo(done.step, done.id)
            except Exception:  # noqa: BLE001  whatever it is, the others are put back all the same
                failed.append(done.step)
        if self._done:
            with suppress(LatchpinError):
                await self._marks.put_back(self._marking, self._state.marks)
                if not failed:
                    await self._marks.end()
                told = len(failed)
                await self._services.activity.tell(
                    PUT_BACK, actor=self._caller.email, source=self._order.source, failed=str(told)
                )
        return failed

    async def _undo(self, step: Step, entry_id: str) -> None:
        entries = self._state.opened[step.kind]
        if step.standing is not None:
            await entries.restore(step.standing)
            return
        if step.kind not in self._made:
            known = {each.id for each in self._state.standing[step.kind]}
            found = await entries.read(self._state.names)
            self._made[step.kind] = [each for each in found if each.id not in known]
        for each in self._made[step.kind]:
            if each.name == step.name and entry_id in {"", each.id}:
                await entries.remove(each)


_WROTE_NOTHING = (Conflict, InvalidRequest, NotFound)
"""What is raised where a write was refused: what is there is as somebody else made it."""
_COUNTED: Mapping[str, Action] = {"added": "add", "changed": "change", "removed": "remove"}


async def _whole(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Let a write end that was begun, and stop only then: what a store writes after it was looked at nobody undoes."""
    result, stopped = await _to_the_end(work)
    if stopped:
        raise asyncio.CancelledError
    return result


async def _to_the_end(work: Coroutine[Any, Any, ResultT]) -> tuple[ResultT, bool]:
    """What must not be stopped half-way, though the command is; and whether it was told to stop meanwhile."""
    task, stopped = asyncio.create_task(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            stopped = True
    return task.result(), stopped


def _explain(exc: BaseException, step: Step | None, failed: Sequence[Step]) -> str:
    """What is said. Only an error of ours has words that are known to hold no secret."""
    what = "the files" if step is None else f"{step.kind}.{step.name}"
    why = exc.detail or exc.public if isinstance(exc, LatchpinError) else type(exc).__name__
    if isinstance(exc, TimeoutError):
        why = f"it took longer than {WITHIN.total_seconds() / 60:.0f} minutes"
    if not failed:
        return f"{what} could not be written: {why}. Everything is as it was before."
    names = ", ".join(f"{each.kind}.{each.name}" for each in failed)
    return (
        f"{what} could not be written: {why}. These could not be put back: {names}. Run this again when it is mended."
    )
