"""A fact is told once: to the log, to listeners, and to recorders, who are awaited; a failing one disturbs nobody."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from latchpin.activity.activity import Activity
from latchpin.model.facts import FACTS, Fact, FactKind, OwnFact
from latchpin_testing import MovedClock

FAILING = "acme (plugin 'acme' of acme-plugin 7.2)"
REST = "nothing else is disturbed. Update or uninstall its distribution"


class Remembering:
    def __init__(self) -> None:
        self.heard: list[Fact] = []

    def on_event(self, fact) -> None:
        self.heard.append(fact)

    async def record(self, fact) -> None:
        await asyncio.sleep(0)
        self.heard.append(fact)


class Failing:
    def on_event(self, fact) -> None:
        raise RuntimeError("no")

    async def record(self, fact) -> None:
        raise RuntimeError("no")


async def test_who_causes_something_hears_what_came_of_it():
    class Following:
        async def record(self, fact) -> None:
            if fact.name == "person.signed-out":
                await activity.tell("token.obtained", subject=fact.subject)

    activity = Activity(MovedClock(), {}, {"b": Following()})
    with activity.hearing() as outer:
        await activity.tell("person.signed-out", subject="bob@example.com")
        with activity.hearing() as inner:
            activity.note("token.obtained")
    activity.note("token.obtained")
    assert [fact.name for fact in outer] == ["person.signed-out", "token.obtained"]
    assert [fact.name for fact in inner] == ["token.obtained"]


async def test_everybody_is_told_the_same_and_who_fails_is_logged(caplog):
    clock, listener, recorder = MovedClock(), Remembering(), Remembering()
    activity = Activity(clock, {FAILING: Failing(), "b": listener}, {FAILING: Failing(), "b": recorder})
    with caplog.at_level(logging.INFO, "latchpin.activity"):
        await activity.tell("tools.fetched", subject="ann@example.com", gateway_id="g", count=3)
    told = [Fact("tools.fetched", clock(), "", "ann@example.com", "g", {"count": 3})]
    assert (listener.heard, recorder.heard) == (told, told)
    assert caplog.messages == [
        "Fetched 3 tools for gateway g, user ann@example.com",
        f"The event listener {FAILING} failed on tools.fetched; {REST}",
        f"The recorder {FAILING} failed on tools.fetched; {REST}",
    ]


def test_what_is_noted_waits_for_nobody():
    listener, recorder = Remembering(), Remembering()
    Activity(MovedClock(), {"a": listener}, {"a": recorder}).note("flow.step", flow_id="f", step="begun")
    assert (len(listener.heard), recorder.heard) == (1, [])


async def test_a_plugins_fact_is_told_as_the_gateways_are(caplog):
    clock, listener, recorder = MovedClock(), Remembering(), Remembering()
    activity = Activity(clock)
    activity.add({"a": listener}, {"b": recorder})
    noted = OwnFact("acme.noted", FactKind("A note.", "length", "%(actor)s wrote %(length)d", logging.WARNING))
    with caplog.at_level(logging.WARNING, "latchpin.activity"):
        await activity.tell(noted, actor="ann@example.com", length=3)
    told = [Fact("acme.noted", clock(), "ann@example.com", details={"length": 3})]
    assert (listener.heard, recorder.heard, caplog.messages) == (told, told, ["ann@example.com wrote 3"])


@pytest.mark.parametrize("name", ["token.refreshed", "noted", "Acme.noted", "acme.noted.", "acme.no ted"])
def test_a_plugin_tells_no_fact_under_a_name_that_is_taken_or_none(name):
    with pytest.raises(ValueError, match="is no name for a plugin's fact"):
        OwnFact(name, FactKind("A note."))


def test_every_line_is_made_of_what_its_fact_has():
    for kind in FACTS.values():
        allowed = {"actor", "subject", "gateway_id", *kind.details.split()}
        assert set(re.findall(r"%\((\w+)\)", kind.line)) <= allowed
