"""A plugin of somebody else's offers a kind of entries and a place of secrets; nothing here knows either by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from latchpin.contracts import (
    ConfigurationEntries,
    ConfigurationKind,
    EntryNames,
    PlannedEntry,
    SecretScheme,
    StandingEntry,
)
from latchpin.errors import InvalidRequest
from latchpin.model import Caller
from latchpin.plugins.hookspecs import CONFIGURATION_KINDS, ENTRY_NOTES, SECRET_SCHEMES
from latchpin.plugins.rules import misfit
from latchpin.sdk.gateway import Application
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

pytestmark = pytest.mark.backends("memory")
KEPT: dict[str, tuple[str, str]] = {}
TEXT = "gateways: {one: {url: 'https://mcp.example.com/one'}}\nalarms: {a: {at: one, token: 'vault:acme/alarm#key'}}\n"


class Alarm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: str
    token: SecretStr | None = None


class Alarms:
    """Where each alarm rings, and its token."""

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        return [
            StandingEntry(name, name, {"at": names.name_of("gateways", at)}, {"token": token.__eq__}, (at, token))
            for name, (at, token) in KEPT.items()
        ]

    async def plan(self, _name: str, entry: Any, _standing: StandingEntry | None, names: EntryNames) -> PlannedEntry:
        try:
            names.id_of("gateways", entry.at)
        except InvalidRequest as exc:
            raise InvalidRequest(f"at: {exc.detail}") from exc
        return PlannedEntry({"at": entry.at})

    async def put(self, name: str, entry: Any, standing: StandingEntry | None, names: EntryNames) -> str:
        token = entry.token.get_secret_value() if entry.token else standing.held[1] if standing else ""
        KEPT[name] = (names.id_of("gateways", entry.at), token)
        return name

    async def remove(self, standing: StandingEntry) -> None:
        KEPT.pop(standing.id)

    async def restore(self, standing: StandingEntry) -> None:
        KEPT[standing.id] = standing.held


async def _open(_application: Application, _caller: Caller) -> ConfigurationEntries:
    return Alarms()


async def _vault(_application: object, rest: str) -> str:
    assert rest == "acme/alarm#key"
    return "from-the-vault"


ALARMS = ConfigurationKind("alarms", "Where it rings.", Alarm, _open, rank=60)
VAULT = SecretScheme("vault", "path#key", _vault)


async def test_a_strangers_kind_and_scheme_are_used_like_ours(filed: Filed):
    KEPT.clear()
    kinds = [*installed_kinds(), ALARMS]
    schemes = {each.name: each for each in [*secret_sources.schemes(), VAULT]}
    sources = SecretSources(filed.application, schemes, allowed=("*",), own=())
    (document,) = parse_documents(TEXT, "x.yaml")
    wanted = read_wanted([document], {kind.name: kind for kind in kinds})
    assert wanted.problems == []
    for expected in (2, 0):
        done = await apply(filed.application, kinds, Order(wanted.entries, "x"), sources, OPERATOR)
        assert (done.plan.problems, done.plan.count("add")) == ([], expected)
    (gateway,) = await filed.application.gateways.list(OPERATOR)
    assert {"a": (gateway.id, "from-the-vault")} == KEPT
    exported = await export(filed.application, kinds, OPERATOR, only=["alarms"])
    assert "alarms:\n  a:\n    at: one\n    token: kept\n" in exported.text
    (document,) = parse_documents(TEXT.replace("at: one", "at: two"), "x.yaml")
    wrong = read_wanted([document], {kind.name: kind for kind in kinds})
    done = await apply(filed.application, kinds, Order(wrong.entries, "x"), sources, OPERATOR)
    (problem,) = done.plan.problems
    assert str(problem) == "x.yaml:2:18: alarms.a: at: none of the gateways is called two"
    schema = json_schema([(kind.name, kind.about, kind.entry) for kind in kinds])
    assert schema["$defs"]["alarms"]["properties"]["token"]["anyOf"][0]["pattern"]


def test_hooks_take_nothing_else():
    assert misfit(CONFIGURATION_KINDS, ALARMS) is None
    assert misfit(CONFIGURATION_KINDS, "acme.kinds:ALARMS") is None
    assert misfit(CONFIGURATION_KINDS, "acme kinds") is not None
    assert misfit(SECRET_SCHEMES, VAULT) is None
    assert misfit(SECRET_SCHEMES, ALARMS) is not None
    assert misfit(ENTRY_NOTES, ALARMS) is not None
