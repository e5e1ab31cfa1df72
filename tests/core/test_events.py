"""Listeners hear what happened, and one that fails disturbs nobody."""

from __future__ import annotations

import logging

from latchpin.activity.events import Events


class Remembering:
    def __init__(self) -> None:
        self.heard: list[tuple[str, dict]] = []

    def on_event(self, name, facts) -> None:
        self.heard.append((name, dict(facts)))


class Failing:
    def on_event(self, name, facts) -> None:
        raise RuntimeError("no")


def test_every_listener_hears_and_a_failing_one_is_logged(caplog):
    listener = Remembering()
    with caplog.at_level(logging.ERROR, "latchpin.events"):
        Events([Failing(), listener]).tell("tools.fetched", gateway_id="g", count=3)
    assert listener.heard == [("tools.fetched", {"gateway_id": "g", "count": 3})]
    assert "Failing failed on tools.fetched" in caplog.text
