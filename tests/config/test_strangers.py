"""A plugin of somebody else's offers a kind of entries and a place of secrets; nothing here knows either by name."""

from __future__ import annotations

import pytest
from latchpin.errors import Conflict
from latchpin.plugins.hookspecs import CONFIGURATION_KINDS, ENTRY_NOTES, SECRET_SCHEMES
from latchpin.plugins.rules import misfit
from latchpin_config import secret_sources
from latchpin_config.applying import Order, apply
from latchpin_config.exporting import export
from latchpin_config.kinds import installed_kinds
from latchpin_config.positions import parse_documents
from latchpin_config.secret_sources import SecretSources
from latchpin_config.shapes import json_schema
from latchpin_config.wanted import read_wanted
from pydantic import SecretStr

from tests.config.acme_alarms import ACME, ALARMS, KEPT, Alarm, open_alarms
from tests.config.conftest import OPERATOR, Filed

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
