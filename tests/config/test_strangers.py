"""A plugin of somebody else's offers a kind of entries and a place of secrets; nothing here knows either by name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from latchpin.contracts import (
    Collection,
    ConfigurationEntries,
    ConfigurationKind,
    EntryNames,
    PlannedEntry,
    SecretScheme,
    StandingEntry,
)
from latchpin.errors import Conflict, InvalidRequest, RecordConflict
from latchpin.model import Caller, CollectionSpec, Document
from latchpin.plugins.hookspecs import CONFIGURATION_KINDS, ENTRY_NOTES, SECRET_SCHEMES
from latchpin.plugins.rules import misfit
from latchpin.sdk.gateway import Application
from latchpin.sdk.stores import scan_all
from latchpin_config import secret_sources
from latchpin_config.applying import Order, apply
from latchpin_config.exporting import export
from latchpin_config.kinds import installed_kinds
from latchpin_config.positions import parse_documents
from latchpin_config.secret_sources import SecretSources
from latchpin_config.shapes import json_schema
from latchpin_config.wanted import read_wanted
from pydantic import BaseModel, ConfigDict, SecretStr

from tests.config.conftest import OPERATOR, Filed


class Alarm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: str
    token: SecretStr | None = None


class Alarms:
    """At which gateway each alarm rings, and its token."""

    def __init__(self, kept: Collection) -> None:
        self._kept = kept

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        return [_standing(each, names) async for each in scan_all(self._kept)]

    async def plan(self, name: str, entry: Any, standing: StandingEntry | None, names: EntryNames) -> PlannedEntry:
        try:
            names.id_of("gateways", entry.at)
        except InvalidRequest as exc:
            raise InvalidRequest(f"at: {exc.detail}") from exc
        return PlannedEntry({"at": entry.at})

    async def put(self, name: str, entry: Any, standing: StandingEntry | None, names: EntryNames) -> str:
        earlier = standing.held if standing else Document(name, {"token": ""})
        token = entry.token.get_secret_value() if entry.token else earlier.body["token"]
        body = {"at": names.id_of("gateways", entry.at), "token": token}
        try:
            await self._kept.put(Document(name, body, revision=earlier.revision))
        except RecordConflict as exc:
            raise Conflict("the alarm was changed meanwhile") from exc
        return name

    async def remove(self, standing: StandingEntry) -> None:
        await self._kept.delete(standing.id)

    async def restore(self, standing: StandingEntry) -> None:
        now = await self._kept.get(standing.id)
        await self._kept.put(Document(standing.id, standing.held.body, revision=now.revision if now else 0))


def _standing(kept: Document, names: EntryNames) -> StandingEntry:
    token = kept.body["token"].encode()
    secrets = {"token": lambda text: hmac.compare_digest(text.encode(), token)} if token else {}
    return StandingEntry(kept.id, kept.id, {"at": names.name_of("gateways", kept.body["at"])}, secrets, held=kept)


async def open_alarms(application: Application, caller: Caller) -> ConfigurationEntries:
    return Alarms(application.services.context.collection(KEPT))


KEPT = CollectionSpec("acme_alarms", sealed=frozenset({"token"}))
ALARMS = ConfigurationKind("alarms", "At which gateways it rings.", Alarm, open_alarms, rank=60)

SAFE: Mapping[str, str] = {"alarm#key": "from-the-safe"}


async def read_safe(application: Application, rest: str) -> str:
    """What stands behind ``acme:`` in a file, such as ``alarm#key``."""
    if rest not in SAFE:
        raise InvalidRequest("the safe has nothing there")
    return SAFE[rest]


ACME = SecretScheme("acme", "a path, and behind # a key, as in acme:alarm#key", read_safe)


pytestmark = pytest.mark.backends("memory")
TEXT = "gateways: {one: {url: 'https://mcp.example.com/one'}}\nalarms: {a: {at: one, token: 'acme:alarm#key'}}\n"


async def test_a_strangers_kind_and_scheme_are_used_like_ours(filed: Filed):
    kinds = [*installed_kinds(), ALARMS]
    schemes = {each.name: each for each in [*secret_sources.schemes(), ACME]}
    sources = SecretSources(filed.application, schemes, allowed=("*",), own=())
    (document,) = parse_documents(TEXT, "x.yaml")
    wanted = read_wanted([document], {kind.name: kind for kind in kinds})
    assert wanted.problems == []
    for expected in (2, 0):
        done = await apply(filed.application, kinds, Order(wanted.entries, "x"), sources, OPERATOR)
        assert (done.problems, done.count("add")) == ([], expected)
    (gateway,) = await filed.application.gateways.list(OPERATOR)
    alarms = filed.application.services.context.collection(KEPT)
    assert {each.id: each.body for each in await alarms.scan(limit=9)} == {
        "a": {"at": gateway.id, "token": "from-the-safe"}
    }
    exported = await export(filed.application, kinds, OPERATOR, only=["alarms"])
    assert "alarms:\n  a:\n    at: one\n    token: kept\n" in exported.text
    (document,) = parse_documents(TEXT.replace("at: one", "at: two"), "x.yaml")
    wrong = read_wanted([document], {kind.name: kind for kind in kinds})
    done = await apply(filed.application, kinds, Order(wrong.entries, "x"), sources, OPERATOR)
    (problem,) = done.problems
    assert str(problem) == "x.yaml:2:18: alarms.a: at: none of the gateways is called two"
    schema = json_schema([(kind.name, kind.about, kind.entry) for kind in kinds])
    assert schema["$defs"]["alarms"]["properties"]["token"]["anyOf"][0]["pattern"]


async def test_what_a_stranger_wrote_is_put_back_when_a_later_entry_cannot_be_written(filed: Filed):
    kept = filed.application.services.context.collection(KEPT)
    entries = await open_alarms(filed.application, OPERATOR)
    names = Names()
    await entries.put("a", Alarm(at="one", token=SecretStr("x")), None, names)
    (standing,) = await entries.read(names)
    await entries.put("a", Alarm(at="two"), standing, names)
    with pytest.raises(Conflict):
        await entries.put("a", Alarm(at="three"), standing, names)
    await entries.restore(standing)
    found = await kept.get("a")
    assert found is not None
    assert found.body == {"at": "id of one", "token": "x"}
    await entries.remove(standing)
    assert await kept.get("a") is None
    await entries.restore(standing)
    assert await kept.get("a") is not None


class Names:
    """Implements ``latchpin.contracts.EntryNames``: every name is there."""

    def id_of(self, _kind: str, name: str) -> str:
        return f"id of {name}"

    def name_of(self, _kind: str, id: str) -> str | None:  # noqa: A002  the entry's own word
        return id.removeprefix("id of ")


def test_hooks_take_nothing_else():
    assert misfit(CONFIGURATION_KINDS, ALARMS) is None
    assert misfit(CONFIGURATION_KINDS, "acme.kinds:ALARMS") is None
    assert misfit(CONFIGURATION_KINDS, "acme kinds") is not None
    assert misfit(SECRET_SCHEMES, ACME) is None
    assert misfit(SECRET_SCHEMES, ALARMS) is not None
    assert misfit(ENTRY_NOTES, ALARMS) is not None
