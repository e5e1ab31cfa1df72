"""A gateway in the test's process on the backend of the run, and doctor beside it as in another process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from latchpin.contracts import Finding, Severity
from latchpin_doctor.report import Report

from tests.servers import GatewayBackend, run_latchpin


@pytest.fixture
def settings(environment: pytest.MonkeyPatch, backend: GatewayBackend) -> pytest.MonkeyPatch:
    """What a gateway on this backend has set, its schema made; a test changes what it wants."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    if "DATABASE_URL" in backend.environment:
        from latchpin_sql_store.migrate import upgrade_database

        upgrade_database(backend.environment["DATABASE_URL"])
    return environment


# The doctor, run as a command, and its report read.


# ``latchpin doctor`` as an operator types it, and what it found.


@dataclass(frozen=True)
class Ended:
    """One run with ``--json``."""

    returncode: int
    document: dict[str, Any]
    stderr: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [finding for group in self.document["groups"] for finding in group["findings"]]

    def of(self, *severities: str) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["severity"] in severities]

    def only(self, check: str) -> dict[str, Any]:
        """The one finding of a check."""
        found = [finding for finding in self.findings if finding["check"] == check]
        assert len(found) == 1, found
        return found[0]


def run_doctor(env: Mapping[str, str], cwd: Path, *arguments: str) -> Ended:
    ended = run_latchpin("doctor", "--json", *arguments, env=env, cwd=cwd)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stdout, ended.stderr
    return Ended(ended.returncode, json.loads(ended.stdout), ended.stderr)


# Finds findings in a report.


def not_well(report: Report) -> list[Finding]:
    """Warnings and failures."""
    return [each for each in report.findings if each.severity in {Severity.WARNING, Severity.FAILURE}]


def of_check(report: Report, check: str) -> list[Finding]:
    """What one check found."""
    return [finding for checked in report.checked if checked.check == check for finding in checked.findings]


def one(report: Report, words: str) -> Finding:
    """The one finding whose title has ``words``."""
    found = [finding for finding in report.findings if words in finding.title]
    assert len(found) == 1, [finding.title for finding in report.findings]
    return found[0]
