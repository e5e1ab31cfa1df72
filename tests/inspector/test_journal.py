"""The journal tells each step once, times it, and says what a flow was left with."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
from types import SimpleNamespace
from typing import get_args

import pytest
from latchpin.activity.activity import Activity
from latchpin.activity.flow_log import FlowLog
from latchpin.activity.logs import JsonFormatter
from latchpin.activity.recorder import FlowRecorder, current_flow
from latchpin.errors import BackendUnavailable, NotFound, StateExpired
from latchpin.model import Fact
from latchpin.model.flow_steps import Begun, Redirected, StepFacts, Stored, Verified
from latchpin_flows.steps import dump_step, in_order, parse_steps
from latchpin_flows.summaries import FlowQuery, summarize
from latchpin_testing import MovedClock

from tests.records.stores import sample_flow

FLOW, GATEWAY, ADA = "f" * 32, "a" * 32, "ada@example.com"


class Told:
    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def on_event(self, fact) -> None:
        self.facts.append(fact)

    @property
    def steps(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(**fact.details) for fact in self.facts]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def recorder(told: Told) -> FlowRecorder:
    ticks = itertools.count()
    return FlowRecorder(
        Activity(MovedClock(), {"told": told}), FlowLog(None), worker="w1", timer=lambda: next(ticks) * 0.5
    )


def test_a_step_has_the_flows_names_its_worker_and_the_time_since_the_step_before(recorder, told):
    span = recorder.open("authorize")
    span.name(FLOW, GATEWAY, ADA)
    with span:
        span.step(Begun(via="session"))
        span.step(Verified(key_id="k", signed_in=True))
    first, second = told.steps
    assert {(fact.name, fact.gateway_id, fact.subject) for fact in told.facts} == {("flow.step", GATEWAY, ADA)}
    assert (first.flow_id, first.worker, first.via) == (FLOW, "w1", "session")
    assert (first.seconds, second.seconds) == (0.5, 0.5)
    assert (second.step, second.outcome, second.key_id) == ("verified", "done", "k")


def test_what_a_trail_is_left_with_is_the_failure(recorder, told):
    error = BackendUnavailable("db.internal is away")
    span = recorder.open("authorize")
    span.name(FLOW, GATEWAY, ADA, issued_by="w2")
    with pytest.raises(BackendUnavailable), span:
        raise error
    assert error.flow_id == FLOW
    (step,) = told.steps
    assert (step.step, step.outcome, step.cause) == ("failed", "failed", error.code)
    assert (step.during, step.status, step.happened) == ("authorize", 503, "db.internal is away")
    assert (step.internal, step.provider_error, step.issued_by) == (True, None, "w2")


def test_what_nobody_foresaw_is_a_failure_without_its_words(recorder, told):
    span = recorder.open("callback")
    span.name(FLOW, GATEWAY, ADA)
    with pytest.raises(RuntimeError), span:
        raise RuntimeError("a secret")
    assert told.steps[0].cause == "internal"
    assert "a secret" not in str(told.facts)


def test_without_a_name_only_a_failed_callback_is_told(recorder, told):
    span = recorder.open("fetch-tools")
    span.step(Begun(via="x"))
    with pytest.raises(NotFound), span:
        raise NotFound
    assert told.steps == []
    error = StateExpired(expired_at=MovedClock()())
    with pytest.raises(StateExpired), recorder.open("callback"):
        raise error
    assert (told.steps[0].flow_id, told.steps[0].cause) == ("", "state-expired")
    assert error.flow_id is None


def test_a_line_written_in_a_flow_names_it_in_json_and_no_line_after_it(recorder):
    def written(**extra: str) -> dict:
        record = logging.LogRecord("latchpin.anything", logging.INFO, "", 0, "said", None, None)
        vars(record).update(extra)
        return json.loads(JsonFormatter().format(record))

    assert "flow_id" not in written()
    with recorder.open("callback") as span:
        assert "flow_id" not in written()
        span.name(FLOW, GATEWAY, ADA)
        assert written()["flow_id"] == current_flow() == FLOW
        assert written(flow_id="other")["flow_id"] == "other"
    assert "flow_id" not in written()


# -- facts --------------------------------------------------------------------------------------------


def test_nothing_but_a_steps_own_facts_can_be_recorded():
    for kind in get_args(StepFacts):
        fields = {each.name for each in dataclasses.fields(kind)}
        assert set(kind.__slots__) == fields, kind
        assert not fields & {"code", "state", "token", "secret", "verifier", "query", "url", "nonce"}
    facts = Begun(via="session")
    with pytest.raises((AttributeError, TypeError)):
        facts.code = "x"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Begun(via="session", code="x")  # type: ignore[call-arg]


def test_what_others_chose_is_cut():
    stored = Stored("Redis", 300, "https://" + "a" * 5000, 0.1, 0.1)
    assert len(stored.issuer or "") < 600
    redirected = Redirected("h", "c" * 9000, "r", tuple("s" * 9000 for _ in range(5000)), "S256")
    assert len(str(redirected)) < 20_000


def test_a_line_of_text_is_read_back_and_what_a_newer_version_wrote_is_shown():
    steps = sample_flow(MovedClock()(), failed=True)
    names = {name: getattr(steps[0], name) for name in ("flow_id", "gateway_id", "app_user_email")}
    lines = [dump_step(step) for step in steps]
    assert parse_steps(lines, **names) == steps
    newer = json.loads(lines[0]) | {"step": "teleported", "facts": {"where": "far"}}
    [step] = parse_steps([json.dumps(newer)], **names)
    assert (step.step, step.outcome, step.facts) == ("teleported", "done", {"where": "far"})
    assert in_order([step, steps[0]]) == [steps[0], step]
    with pytest.raises(KeyError):
        parse_steps(["{}"], **names)


def test_a_flow_is_complete_once_its_tokens_are_kept_and_failed_by_its_first_failure():
    steps = sample_flow(MovedClock()(), failed=True)
    outcomes = [summarize(steps[:count]).outcome for count in (3, 8, 10)]
    assert outcomes == ["pending", "completed", "completed"]
    lost = [
        *steps[:4],
        steps[-1],
        dataclasses.replace(steps[-1], facts={**steps[-1].facts, "cause": "x"}),
    ]
    assert (summarize(lost).outcome, summarize(lost).cause) == ("failed", "state-used")
    assert in_order(steps[::-1]) == steps
    at_once = [dataclasses.replace(step, at=steps[0].at) for step in steps]
    assert in_order(at_once[::-1]) == at_once
    assert not FlowQuery(before=steps[-1].at).matches(summarize(steps))
