"""What would change: files against what is kept. It reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from latchpin.contracts import ConfigurationEntries, ConfigurationKind, StandingEntry
from latchpin.errors import InvalidRequest
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from pydantic import BaseModel

from latchpin_config.marks import Mark, Marks
from latchpin_config.naming import Names
from latchpin_config.positions import MOST_PROBLEMS, Problem, shown
from latchpin_config.secret_sources import SecretSources
from latchpin_config.wanted import WantedEntry, build_entry

__all__ = ["Action", "Change", "Plan", "State", "Step", "make_plan", "read_state"]

Action = Literal["add", "change", "remove", "same"]


@dataclass(frozen=True, slots=True)
class State:
    """What is kept: the opened kinds, lowest rank first, with their entries."""

    kinds: Mapping[str, ConfigurationKind]
    opened: Mapping[str, ConfigurationEntries]
    standing: Mapping[str, Sequence[StandingEntry]]
    marks: Mapping[tuple[str, str], Mark]
    names: Names


@dataclass(frozen=True, slots=True)
class Change:
    """One member that changes; ``None`` for what is not there. Secrets are words about them."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one entry."""

    action: Action
    kind: str
    name: str
    standing: StandingEntry | None
    wanted: WantedEntry | None = None
    entry: BaseModel | None = field(default=None, repr=False)
    changes: Sequence[Change] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that would be done, in the order in which it is done, and what is wrong.

    Attributes:
        left: what was applied from this source before, is gone from it, and stays, as nothing prunes.
    """

    steps: list[Step]
    problems: list[Problem]
    left: list[Mark]

    @property
    def writes(self) -> list[Step]:
        """Without what is as it should be."""
        return [step for step in self.steps if step.action != "same"]

    def count(self, action: Action) -> int:
        """How many there are."""
        return sum(step.action == action for step in self.steps)


async def read_state(application: Application, kinds: Sequence[ConfigurationKind], caller: Caller) -> State:
    """Read everything that is kept.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    names = Names()
    opened: dict[str, ConfigurationEntries] = {}
    standing: dict[str, Sequence[StandingEntry]] = {}
    ordered = sorted(kinds, key=lambda kind: (kind.rank, kind.name))
    for kind in ordered:
        opened[kind.name] = await kind.open(application, caller)
        standing[kind.name] = await opened[kind.name].read(names)
        names.add(kind.name, standing[kind.name])
    marks = await Marks.of(application.services.context).all()
    return State({kind.name: kind for kind in ordered}, opened, standing, marks, names)


async def make_plan(
    state: State,
    wanted: Sequence[WantedEntry],
    sources: SecretSources,
    *,
    source: str,
    prune: bool,
    take_over: bool = False,
) -> Plan:
    """Judge what files want against what is kept.

    Args:
        state: what is kept.
        wanted: what files have.
        sources: where their secrets are.
        source: what the files are called together.
        prune: what was applied from that source before and is gone from it, goes.
        take_over: entries that another source rules are taken too.
    """
    gone = _gone(state, {(each.kind.name, each.name) for each in wanted}, source)
    if prune:
        for mark, standing in gone:
            state.names.forget(mark.kind, standing.name)
    for each in wanted:
        state.names.expect(each.kind.name, each.name)
    planning = _Planning(state, sources, source, take_over)
    order = list(state.kinds)
    for each in sorted(wanted, key=lambda one: order.index(one.kind.name)):
        if len(planning.problems) <= MOST_PROBLEMS:
            await planning.add(each)
    if prune:
        removed = [Step("remove", mark.kind, standing.name, standing) for mark, standing in reversed(gone)]
        planning.steps += removed
    return Plan(planning.steps, sorted(planning.problems), [] if prune else [mark for mark, _ in gone])


class _Planning:
    """What was found so far."""

    def __init__(self, state: State, sources: SecretSources, source: str, take_over: bool) -> None:
        self._state = state
        self._standing = {(kind, each.name): each for kind, found in state.standing.items() for each in found}
        self._sources = sources
        self._source = source
        self._take_over = take_over
        self.steps: list[Step] = []
        self.problems: list[Problem] = []

    async def add(self, wanted: WantedEntry) -> None:
        """Say what becomes of an entry, or what is wrong with it."""
        try:
            step = await self._step(wanted)
        except InvalidRequest as exc:
            self.problems.append(_problem(wanted, exc.detail))
        else:
            self.steps += [] if step is None else [step]

    async def _step(self, wanted: WantedEntry) -> Step | None:
        """What becomes of it; None where its secrets are wrong."""
        kind, name, state = wanted.kind.name, wanted.name, self._state
        state.names.id_of(kind, name)  # several of that name: it cannot be said which is meant
        standing = self._standing.get((kind, name))
        mark = state.marks.get((kind, standing.id)) if standing is not None else None
        if mark is not None and mark.source != self._source and not self._take_over:
            raise InvalidRequest(f"the source {mark.source} rules it ({mark.file}); --take-over makes it this one's")
        secrets = await _secrets(wanted, standing, self._sources, self.problems)
        if secrets is None:
            return None
        entry, found = build_entry(wanted, secrets)
        self.problems += found
        if entry is None:
            return None
        planned = await state.opened[kind].plan(name, entry, standing, state.names)
        changes = [*_compare(standing, planned.said), *_compare_secrets(wanted, standing, secrets)]
        action: Action = "add" if standing is None else "change" if changes else "same"
        return Step(action, kind, name, standing, wanted, entry, changes, planned.warnings)


def _problem(wanted: WantedEntry, detail: str) -> Problem:
    """A refusal, at the member that it begins with if there is one of that name."""
    word = detail.replace(":", " ").split(maxsplit=1)[0] if detail else ""
    path = word.split(".")
    place = wanted.node.find(path) if path[0] in wanted.node.keys else wanted.place
    return Problem(place, f"{wanted.kind.name}.{shown(wanted.name)}: {detail}")


async def _secrets(
    wanted: WantedEntry, standing: StandingEntry | None, sources: SecretSources, problems: list[Problem]
) -> dict[tuple[str, ...], str] | None:
    """The secrets of an entry; None where one cannot be had."""
    what = f"{wanted.kind.name}.{shown(wanted.name)}"
    found: dict[tuple[str, ...], str] = {}
    before = len(problems)
    for reference in wanted.references:
        try:
            found[reference.path] = await sources.read(reference.scheme, reference.rest)
        except InvalidRequest as exc:
            problems.append(Problem(reference.place, f"{what}.{'.'.join(reference.path)}: {exc.detail}"))
    for path in wanted.kept:
        place = ".".join(path)
        if standing is None or place not in standing.secrets:
            words = "no secret is kept there yet; write where it is, as in env:NAME or file:/path"
            problems.append(Problem(wanted.node.find(path[:-1]), f"{what}.{place}: {words}"))
    return found if len(problems) == before else None


def _compare(standing: StandingEntry | None, said: Mapping[str, Any]) -> list[Change]:
    before = _flat({} if standing is None else standing.said)
    after = _flat(said)
    keys = [*before, *(key for key in after if key not in before)]
    return [Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _compare_secrets(
    wanted: WantedEntry, standing: StandingEntry | None, secrets: Mapping[tuple[str, ...], str]
) -> list[Change]:
    kept = {} if standing is None else standing.secrets
    changes: list[Change] = []
    for path, secret in secrets.items():
        key = ".".join(path)
        if key not in kept:
            changes.append(Change(key, None, "(secret)"))
        elif not kept[key](secret):
            changes.append(Change(key, "(secret)", "(another secret)"))
    return changes + [Change(key, "(secret)", None) for key in kept if _cleared(wanted, key.split("."))]


def _cleared(wanted: WantedEntry, path: Sequence[str]) -> bool:
    """Whether the entry says null there."""
    holder: Any = wanted.data
    for part in path[:-1]:
        holder = holder.get(part) if isinstance(holder, dict) else None
    return isinstance(holder, dict) and path[-1] in holder and holder[path[-1]] is None


def _flat(said: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Members by their places, one level of each mapping after the other."""
    flat: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _gone(state: State, wanted: set[tuple[str, str]], source: str) -> list[tuple[Mark, StandingEntry]]:
    """What this source ruled and has no more, in the order of the kinds."""
    return [
        (mark, each)
        for kind, standing in state.standing.items()
        for each in standing
        if (mark := state.marks.get((kind, each.id))) is not None
        and mark.source == source
        and (kind, each.name) not in wanted
    ]
