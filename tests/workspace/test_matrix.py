"""The summary of ``make test`` tells the truth: about failures, about checks alone, and about what was not run."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import matrix

PASSED = {"success": True, "exit_code": 0, "duration": 1.0, "skipped": False}
FAILED = {"success": False, "exit_code": 1, "duration": 1.0, "skipped": False}
CASES = (
    '<testsuites><testsuite><testcase classname="a" name="good"/>'
    '<testcase classname="a" name="bad"><failure/></testcase>'
    '<testcase classname="a" name="torn"><error/></testcase>'
    '<testcase classname="a" name="left"><skipped/></testcase></testsuite></testsuites>'
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    return tmp_path


def summary(results: Path, environments: dict[str, object], status: int, monkeypatch, capsys) -> tuple[int, list[str]]:
    (results / "tox.json").write_text(json.dumps({"testenvs": environments}))
    monkeypatch.setattr(matrix, "run_tox", lambda arguments: status)
    code = matrix.main([])
    return code, capsys.readouterr().out.splitlines()


def test_tests_are_added_up_and_the_failed_ones_named(results, monkeypatch, capsys):
    (results / "py311-all.xml").write_text(CASES)
    environments = {"py311-all": {"result": FAILED}, "lint": {"result": PASSED}, "py313-all": {}}
    code, lines = summary(results, environments, 1, monkeypatch, capsys)
    assert code == 1
    assert lines[-1] == "2 passed, 2 failed"
    assert "    FAILED a::bad" in lines
    assert not [line for line in lines if line.startswith("py313-all")]


@pytest.mark.parametrize("tests", ["", CASES.replace("<failure/>", "").replace("<error/>", "")])
def test_an_environment_that_failed_outside_its_tests_is_a_failure(results, monkeypatch, capsys, tests: str):
    if tests:
        (results / "wheels.xml").write_text(tests)
    code, lines = summary(results, {"wheels": {"result": FAILED}}, 1, monkeypatch, capsys)
    assert code == 1
    assert lines[-1] == ("3 passed, 1 failed" if tests else "0 passed, 1 failed")


def test_what_was_not_run_is_said_and_counted_as_nothing(results, monkeypatch, capsys):
    (results / "browser.notrun").write_text("no Chromium here\n")
    environments = {
        "browser": {"result": PASSED},
        "lint": {"result": PASSED},
        "py313-all": {"result": PASSED | {"skipped": True}},
    }
    code, lines = summary(results, environments, 0, monkeypatch, capsys)
    assert code == 0
    assert lines[-1] == "1 passed, 0 failed"
    assert [line.split("  ")[-1] for line in lines if "NOT RUN" in line] == [
        "NOT RUN: no Chromium here",
        "NOT RUN: no such interpreter here",
    ]


@pytest.mark.parametrize("environments", [{}, {"lint": {"result": PASSED}}])
def test_a_tox_that_fails_by_itself_is_a_failure(results, monkeypatch, capsys, environments: dict[str, object]):
    code, lines = summary(results, environments, 2, monkeypatch, capsys)
    assert code == 1
    assert lines[-1].endswith(", 1 failed")


def test_nothing_run_is_not_a_success(results, monkeypatch, capsys):
    code, lines = summary(results, {}, 0, monkeypatch, capsys)
    assert code == 1
    assert lines[-1] == "0 passed, 0 failed"


def test_the_python_that_make_chose_comes_before_others_of_its_version(results, monkeypatch):
    started: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> CompletedProcess[str]:
        started.append(env)
        return CompletedProcess(command, 0)

    monkeypatch.setattr(matrix, "interpreters", lambda: ["/pyenv/3.11.7/bin"])
    monkeypatch.setattr(matrix.subprocess, "run", run)
    assert matrix.run_tox([]) == 0
    folders = started[0]["PATH"].split(os.pathsep)
    assert folders[:3] == [str(Path(sys.executable).parent), f"{sys.base_prefix}/bin", "/pyenv/3.11.7/bin"]
