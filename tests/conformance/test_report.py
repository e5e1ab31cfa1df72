"""The verdict on a run: nothing that fails goes by, neither in the suite's marks nor in how a client ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import serving
from tests.conformance.serving import Renaming, Served, judge_served, parse_marks, render_served
from tests.conformance.suite import (
    REFUSED_AS,
    Result,
    judge,
    judge_end,
    parse_baseline,
    parse_summary,
    parse_unscored,
    read_result,
    render_table,
)

SAID = """
Running requirements 2026-07-28 (3 scenarios) in parallel...

=== SUITE SUMMARY ===

✓ tools_call: 1 passed, 0 failed
    - nothing: of the sort
✗ auth/dpop: 10 passed, 3 failed
✗ auth/basic-cimd: 13 passed, 0 failed, 1 warnings
- sse-retry: skipped

Total: 24 passed, 3 failed, 1 warnings

Not scored for 2026-07-28: 1 scenario(s) run, 1 failing. These do not affect conformance.
  ✗ auth/dpop (extension)
"""


def result(scenario: str, *, passed: bool, scored: bool = True) -> Result:
    return Result("auth", scenario, passed, scored, 3, () if passed else ("check: it failed",))


def test_the_suites_summary_is_read():
    assert parse_summary(SAID) == {"tools_call": True, "auth/dpop": False, "auth/basic-cimd": False}
    assert parse_unscored(SAID) == {"auth/dpop"}
    assert parse_summary("it crashed") == {}


@pytest.mark.parametrize(
    ("marked", "status", "said", "passed"),
    [
        (True, "SUCCESS", "", True),
        (False, "SUCCESS", "", False),
        (True, "WARNING", "", False),
        (True, "FAILURE", "", False),
        (True, "SUCCESS", "HTTP 502", False),
    ],
)
def test_a_pass_needs_the_mark_every_check_and_a_client_that_finished(tmp_path: Path, marked, status, said, passed):
    checks = [{"id": "one", "description": "it works", "status": status}, {"id": "two", "status": "INFO"}]
    (tmp_path / "checks.json").write_text(json.dumps(checks))
    (tmp_path / "stderr.txt").write_text(said)
    read = read_result("auth", "tools_call", marked, True, tmp_path / "checks.json")
    assert (read.passed, read.checks) == (passed, 1)


def test_no_results_are_no_pass():
    assert not read_result("auth", "tools_call", True, True, None).passed


@pytest.mark.parametrize("scenario", REFUSED_AS)
def test_what_must_be_refused_is_refused_for_its_reason(scenario):
    right = f'{{"type": "http://127.0.0.1:1/problems/{REFUSED_AS[scenario]}", "title": "..."}}'
    assert judge_end(scenario, right) is None
    assert "let pass" in str(judge_end(scenario, ""))
    assert "but not as" in str(judge_end(scenario, '{"type": "http://127.0.0.1:1/problems/internal"}'))


def test_unknown_failures_and_stale_entries_speak_against_a_run():
    results = [result("a", passed=False), result("b", passed=True), result("c", passed=False)]
    lines = judge(results, {"b": "why", "c": "why"})
    assert [line.partition(" ")[2].partition(" ")[0] for line in lines] == ["a", "b"]
    assert judge(results, {"a": "why", "c": "why"}) == []


def test_a_known_failure_needs_a_reason():
    assert parse_baseline("# words\n\na/b: because\n") == {"a/b": "because"}
    with pytest.raises(ValueError, match="needs a reason"):
        parse_baseline("a/b")


SERVED = """
=== SUMMARY ===
✓ ping: 2 passed, 0 failed
✗ caching: 7 passed, 0 failed, 1 warnings

Total: 9 passed, 0 failed, 1 warnings
✗ not-scored (pending)
"""


def test_what_comes_out_worse_through_the_gateway_speaks_against_it(monkeypatch):
    assert parse_marks(SERVED) == {"ping": (2, 0), "caching": (7, 1)}
    assert parse_marks("it crashed") == {}
    monkeypatch.setattr(serving, "DIFFERS", {})
    same = Served("the one", "2026-07-28", "ping", (1, 1), (1, 1))
    worse = Served("its own", "2026-07-28", "caching", (8, 0), (7, 1))
    assert judge_served([same]) == []
    assert "caching" in judge_served([same, worse])[0]
    monkeypatch.setitem(serving.DIFFERS, ("its own", "caching"), "because")
    assert judge_served([same, worse]) == []
    assert "caching" in judge_served([same])[0]
    page = render_served([same, worse])
    assert "| `caching` | 7 of 8; 8 of 8 at the server |  |" in page
    assert "| `ping` |  | 1 of 2 in both |" in page
    assert "- `caching` at its own endpoint: because" in page


def test_names_change_on_the_way_to_the_one_endpoint_and_nothing_else():
    renaming = Renaming("s")
    asked = {"method": "tools/call", "params": {"name": "a", "arguments": {"name": "a"}}}
    assert json.loads(renaming.request(json.dumps(asked).encode()))["params"] == {
        "name": "s__a",
        "arguments": {"name": "a"},
    }
    completed = {"method": "completion/complete", "params": {"ref": {"type": "ref/resource", "uri": "x://a"}}}
    assert json.loads(renaming.request(json.dumps(completed).encode()))["params"]["ref"]["uri"] == "s+x://a"
    assert renaming.header("mcp-name", "a") == "s__a"
    assert renaming.header("mcp-name", "=?base64?YQ=?=") == "=?base64?YQ=?=", "what is wrong stays so"
    assert renaming.header("mcp-method", "a") == "a"
    listed = {"result": {"tools": [{"name": "s__a"}], "resources": [{"name": "s__a", "uri": "s+x://a"}]}}
    assert json.loads(renaming.answer(json.dumps(listed).encode()))["result"] == {
        "tools": [{"name": "a"}],
        "resources": [{"name": "s__a", "uri": "x://a"}],
    }
    for body in (
        b"",
        b"[]",
        b'{"method": "ping" }',
        b'{"result": [] }',
        b'{"method":"tools/call","params":{"name":7} }',
    ):
        assert renaming.request(body) == renaming.answer(body) == body


def test_the_table_counts_what_is_scored():
    results = [result("a", passed=True), result("b", passed=False), result("c", passed=False, scored=False)]
    page = render_table(results, {"b": "not done"})
    assert "| auth | 2 | 1 |" in page
    assert "| `c` | **fails**, not scored |" in page
    assert "- `b`: not done" in page
