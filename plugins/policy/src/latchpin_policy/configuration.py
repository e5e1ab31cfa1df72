"""Groups and rules as files say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from latchpin.contracts import ConfigurationEntries, ConfigurationKind, EntryNames, PlannedEntry, StandingEntry
from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, parse_body
from pydantic import BaseModel, Field

from latchpin_policy.book import Book, book_of
from latchpin_policy.entry import (
    GroupBody,
    GroupParts,
    RuleBody,
    RuleParts,
    build_group,
    build_rule,
    check_rule_name,
    parse_group_name,
)
from latchpin_policy.group import PeopleGroup
from latchpin_policy.rule import MEMBERS, Rule

__all__ = ["GROUP_KIND", "RULE_KIND", "GroupEntry", "RuleEntry"]

_GATEWAYS = "gateways"


class GroupEntry(GroupParts):
    """A group of people, as a file says it; its key is its name."""


class RuleEntry(RuleParts):
    """A rule, as a file says it; its key is its name, which is its id."""

    gateway: Annotated[str, Field(strict=True, max_length=200)] | None = Field(
        None, description="At which gateway: its name; left out: at every one."
    )


class GroupEntries:
    """See ``latchpin.contracts.ConfigurationEntries``."""

    def __init__(self, book: Book, caller: Caller, now: datetime) -> None:
        self._book = book
        self._caller = caller
        self._now = now

    async def read(self, _names: EntryNames) -> Sequence[StandingEntry]:
        """All, by name."""
        return [_standing_group(each) for each in await self._book.list_groups()]

    async def plan(
        self, name: str, entry: BaseModel, _standing: StandingEntry | None, _names: EntryNames
    ) -> PlannedEntry:
        """What would be kept."""
        if parse_group_name(name) != name:
            raise InvalidRequest(f"a group is called as others name it: {parse_group_name(name)}")
        return PlannedEntry(_say_group(build_group(name, _group_body(entry), revision=0, now=self._now)))

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, _names: EntryNames) -> str:
        """Make it, or put others in the place of its members."""
        revision = None if standing is None else standing.held.revision
        return (await self._book.put_group(name, _group_body(entry, revision), self._caller)).name

    async def remove(self, standing: StandingEntry) -> None:
        """Remove it."""
        await self._book.remove_group(standing.name, self._caller)

    async def restore(self, standing: StandingEntry) -> None:
        """Bring it back."""
        earlier: PeopleGroup = standing.held
        try:
            if (await self._book.group(earlier.name)).revision == earlier.revision:
                return
        except NotFound:
            pass
        body = parse_body(GroupBody, {"members": list(earlier.members), "note": earlier.note})
        await self._book.put_group(earlier.name, body, self._caller)


class RuleEntries:
    """See ``latchpin.contracts.ConfigurationEntries``."""

    def __init__(self, book: Book, caller: Caller, now: datetime) -> None:
        self._book = book
        self._caller = caller
        self._now = now

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        """All, oldest first."""
        return [
            StandingEntry(each.id, each.id, _say_rule(each, names), held=each) for each in await self._book.list_rules()
        ]

    async def plan(
        self, name: str, entry: BaseModel, standing: StandingEntry | None, names: EntryNames
    ) -> PlannedEntry:
        """What would be kept."""
        if standing is None:
            check_rule_name(name)
        body = _rule_body(entry, names)
        return PlannedEntry(_say_rule(build_rule(body, id=name, now=self._now, gateways=_known(body)), names))

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, names: EntryNames) -> str:
        """Make it or change it."""
        body = _rule_body(entry, names, None if standing is None else standing.held.revision)
        if standing is None:
            return (await self._book.create_rule(body, self._caller, gateways=_known(body), name=name)).id
        return (await self._book.change_rule(name, body, self._caller, gateways=_known(body))).id

    async def remove(self, standing: StandingEntry) -> None:
        """Remove it."""
        await self._book.remove_rule(standing.id, self._caller)

    async def restore(self, standing: StandingEntry) -> None:
        """Bring it back."""
        earlier: Rule = standing.held
        said = {name: getattr(earlier, name) for name in MEMBERS}
        document = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
        body, known = parse_body(RuleBody, document), {earlier.gateway}
        try:
            if (await self._book.rule(earlier.id)).revision != earlier.revision:
                await self._book.change_rule(earlier.id, body, self._caller, gateways=known)
        except NotFound:
            await self._book.create_rule(body, self._caller, gateways=known, name=earlier.id)


def _standing_group(group: PeopleGroup) -> StandingEntry:
    return StandingEntry(group.name, group.name, _say_group(group), held=group)


def _say_group(group: PeopleGroup) -> dict[str, Any]:
    said: dict[str, Any] = {"members": list(group.members)}
    return said | ({"note": group.note} if group.note else {})


def _group_body(entry: BaseModel, revision: int | None = None) -> GroupBody:
    said = {name: getattr(entry, name) for name in ("members", "note")}
    return parse_body(GroupBody, said | ({} if revision is None else {"revision": revision}))


def _say_rule(rule: Rule, names: EntryNames) -> dict[str, Any]:
    """Its members, without those that are as they are by default."""
    where = replace(rule, gateway=(names.name_of(_GATEWAYS, rule.gateway) or rule.gateway) if rule.gateway else "")
    said = {name: getattr(where, name) for name in MEMBERS}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    return {name: value for name, value in plain.items() if value and (name, value) != ("when", "always")}


def _rule_body(entry: BaseModel, names: EntryNames, revision: int | None = None) -> RuleBody:
    """The API's body: what the entry does not say is as it is by default."""
    said = {name: getattr(entry, name) for name in MEMBERS}
    if said["gateway"]:
        try:
            said["gateway"] = names.id_of(_GATEWAYS, said["gateway"])
        except InvalidRequest as exc:
            raise InvalidRequest(f"gateway: {exc.detail}") from None
    said |= {"when": said["when"] or "always", "who": said["who"] or [], "gateway": said["gateway"] or ""}
    said |= {"tools": said["tools"] or [], "scopes": said["scopes"] or [], "note": said["note"] or ""}
    return parse_body(RuleBody, said | ({} if revision is None else {"revision": revision}))


def _known(body: RuleBody) -> set[str]:
    """The gateway of a body was found by its name."""
    return {body.gateway or ""}


async def _groups(application: Application, caller: Caller) -> ConfigurationEntries:
    return GroupEntries(await book_of(application), caller, application.services.clock())


async def _rules(application: Application, caller: Caller) -> ConfigurationEntries:
    return RuleEntries(await book_of(application), caller, application.services.clock())


GROUP_KIND = ConfigurationKind("groups", "Groups of people, by name.", GroupEntry, _groups, rank=20)
RULE_KIND = ConfigurationKind("rules", "Rules about tools and scopes, by name.", RuleEntry, _rules, rank=40)
