"""The groups and rules as they are kept: read at most so often, and seen by every worker within half a second.

What holds now is asked for each request, so one small document tells whether anything has changed: its revision is new
with each write. Only then, and once in a while, everything is read.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from latchpin.contracts import Collection, Context
from latchpin.errors import Conflict, Forbidden, NotFound, RecordConflict
from latchpin.model import Caller, CollectionSpec
from latchpin.sdk.stores import scan_all
from latchpin.sdk.workers import SharedTasks

from latchpin_policy.entry import GroupBody, RuleBody, build_group, build_rule, change_rule, check_rule_name
from latchpin_policy.facts import GROUP_CHANGED, GROUP_REMOVED, RULE_CHANGED, RULE_CREATED, RULE_REMOVED
from latchpin_policy.group import PeopleGroup, group_id
from latchpin_policy.policy import Policy
from latchpin_policy.rule import MEMBERS, Rule
from latchpin_policy.stamp import Stamp

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["GROUPS", "RULES", "STAMP", "Book", "book_of", "open_book"]

RULES, GROUPS, STAMP = (CollectionSpec(f"policy_{name}") for name in ("rules", "groups", "stamp"))
REMEMBERED = timedelta(seconds=0.4)
"""For how long nothing is asked. With the half second that callers are remembered, it stays under one second."""
WHOLE = timedelta(seconds=30)
"""When everything is read again though nothing seems to have changed: a worker may have died between two writes."""
MOST_RULES, MOST_GROUPS = 2_000, 2_000
_ATTEMPTS = 5


class Book:
    """Reads and writes groups and rules."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._activity = context.activity
        self._rules: Collection = context.collection(RULES)
        self._groups: Collection = context.collection(GROUPS)
        self._stamp = Stamp(context.collection(STAMP))
        self._policy: Policy | None = None
        self._read_at = self._whole_at = context.clock()
        self._revision: int | None = None
        self._written = 0
        self._reading: SharedTasks[int, Policy] = SharedTasks()

    # -- reading ------------------------------------------------------------------------------------------

    async def current(self) -> Policy:
        """What holds, as it was read at most ``REMEMBERED`` ago; what this process wrote is seen at once.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if self._policy is not None and self._read_at <= self._clock() < self._read_at + REMEMBERED:
            return self._policy
        return await self._reading.run(self._written, self._look)

    async def _look(self) -> Policy:
        written, now = self._written, self._clock()
        revision = await self._stamp.revision()
        policy = self._policy
        if policy is None or revision != self._revision or not self._whole_at <= now < self._whole_at + WHOLE:
            policy = await self._read()
            if written == self._written:
                self._revision, self._whole_at = revision, now
        if written == self._written:
            self._policy, self._read_at = policy, now
        return policy

    async def _read(self) -> Policy:
        """Everything; what is as it was gives the same policy, so that what was judged by it stays."""
        rules = [Rule.read(held) async for held in scan_all(self._rules)]
        groups = [PeopleGroup.read(held) async for held in scan_all(self._groups)]
        rules.sort(key=lambda rule: (rule.created_at, rule.id))
        groups.sort(key=lambda group: group.name)
        same = self._policy
        if same is not None and same.rules == tuple(rules) and same.groups == tuple(groups):
            return same
        return Policy(rules, groups)

    async def list_rules(self) -> list[Rule]:
        """All, as the store has them now, oldest first."""
        return list((await self._read()).rules)

    async def list_groups(self) -> list[PeopleGroup]:
        """All, as the store has them now, by name."""
        return list((await self._read()).groups)

    async def rule(self, rule_id: str) -> Rule:
        """One rule, as the store has it now.

        Raises:
            NotFound: there is none.
        """
        held = await self._rules.get(rule_id) if rule_id else None
        if held is None:
            raise NotFound("there is no such rule", remedy="It may have been removed: list the rules again.")
        return Rule.read(held)

    async def group(self, name: str) -> PeopleGroup:
        """One group, as the store has it now.

        Raises:
            NotFound: there is none.
        """
        held = await self._groups.get(group_id(name))
        if held is None:
            raise NotFound("there is no such group")
        return PeopleGroup.read(held)

    # -- rules --------------------------------------------------------------------------------------------

    async def create_rule(self, body: RuleBody, caller: Caller, *, gateways: set[str], name: str = "") -> Rule:
        """Make a rule, with ``name`` for its id, else with a random one.

        Raises:
            Forbidden: the caller is no administrator.
            InvalidRequest: the body or the name does not hold.
            Conflict: there are too many, or there is one of that name.
        """
        _check_admin(caller)
        rule_id = check_rule_name(name) if name else secrets.token_hex(4)
        made = build_rule(body, id=rule_id, now=self._clock(), gateways=gateways)
        if await self._rules.count() >= MOST_RULES:
            raise Conflict(f"there are {MOST_RULES} rules, and no more are kept")
        try:
            made = Rule.read(await self._rules.put(made.dump()))
        except RecordConflict:
            raise Conflict(f"there is a rule {rule_id} already") from None
        await self._note()
        await self._activity.tell(RULE_CREATED, actor=caller.email, gateway_id=made.gateway, rule=made.name)
        return made

    async def change_rule(self, rule_id: str, body: RuleBody, caller: Caller, *, gateways: set[str]) -> Rule:
        """Change a rule: what the body does not name stays.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is no such rule.
            InvalidRequest: it would contradict itself.
            Conflict: the body names a revision that is no longer the rule's, or others keep changing it.
        """
        _check_admin(caller)
        for _ in range(_ATTEMPTS):
            earlier = await self.rule(rule_id)
            _check_revision(body.revision, earlier.revision)
            changed = change_rule(earlier, body, now=self._clock(), gateways=gateways)
            try:
                changed = Rule.read(await self._rules.put(changed.dump()))
            except RecordConflict:
                continue
            await self._note()
            names = tuple(name for name in MEMBERS if getattr(earlier, name) != getattr(changed, name))
            where = changed.gateway
            await self._activity.tell(
                RULE_CHANGED, actor=caller.email, gateway_id=where, rule=changed.name, changed=names
            )
            return changed
        raise Conflict("the rule keeps being changed by others")

    async def remove_rule(self, rule_id: str, caller: Caller) -> Rule:
        """Remove a rule; return what it was.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is no such rule.
        """
        _check_admin(caller)
        earlier = await self.rule(rule_id)
        if not await self._rules.delete(rule_id):
            raise NotFound("the rule was removed by somebody else")
        await self._note()
        await self._activity.tell(RULE_REMOVED, actor=caller.email, gateway_id=earlier.gateway, rule=earlier.name)
        return earlier

    # -- groups -------------------------------------------------------------------------------------------

    async def put_group(self, name: str, body: GroupBody, caller: Caller) -> PeopleGroup:
        """Make a group, or put others in the place of its members.

        Raises:
            Forbidden: the caller is no administrator.
            Conflict: the body names a revision that is no longer the group's, there are too many, or others change it.
        """
        return await self.edit_group(name, lambda _: body, caller)

    async def edit_group(
        self, name: str, edit: Callable[[PeopleGroup | None], GroupBody], caller: Caller
    ) -> PeopleGroup:
        """Make a group, or change it by what it is now, each time that somebody else was faster; raises the same."""
        _check_admin(caller)
        for _ in range(_ATTEMPTS):
            held = await self._groups.get(group_id(name))
            earlier = None if held is None else PeopleGroup.read(held)
            body = edit(earlier)
            _check_revision(body.revision, 0 if earlier is None else earlier.revision)
            if earlier is None and await self._groups.count() >= MOST_GROUPS:
                raise Conflict(f"there are {MOST_GROUPS} groups, and no more are kept")
            made = build_group(name, body, revision=0 if earlier is None else earlier.revision, now=self._clock())
            try:
                made = PeopleGroup.read(await self._groups.put(made.dump()))
            except RecordConflict:
                continue
            await self._note()
            before, after = set(() if earlier is None else earlier.members), set(made.members)
            added, removed = len(after - before), len(before - after)
            await self._activity.tell(GROUP_CHANGED, actor=caller.email, group=name, added=added, removed=removed)
            return made
        raise Conflict("the group keeps being changed by others")

    async def remove_group(self, name: str, caller: Caller) -> PeopleGroup:
        """Remove a group; return what it was. Rules and gateways that name it let nobody in by it any more.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is no such group.
        """
        _check_admin(caller)
        earlier = await self.group(name)
        if not await self._groups.delete(group_id(name)):
            raise NotFound("the group was removed by somebody else")
        await self._note()
        await self._activity.tell(GROUP_REMOVED, actor=caller.email, group=name)
        return earlier

    async def _note(self) -> None:
        """Tell all workers that something was written."""
        self._written += 1
        self._policy = None
        await self._stamp.renew()


def _check_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("only administrators see and change rules and groups")


def _check_revision(wanted: int | None, found: int) -> None:
    if wanted not in {None, found}:
        raise Conflict("it was changed by somebody else", remedy="Read it again.")


async def open_book(context: Context) -> Book:
    """The process's book."""

    @asynccontextmanager
    async def opener() -> AsyncIterator[Book]:
        yield Book(context)

    return await context.shared("latchpin_policy book", opener)


async def book_of(application: Application) -> Book:
    """The process's book, for pages and the API."""
    return await open_book(application.services.context)
