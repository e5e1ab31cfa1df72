"""A finding that is made of a failure."""

from __future__ import annotations

from latchpin.contracts import Finding, Severity
from latchpin.errors import BackendUnavailable


def test_a_finding_says_what_the_failure_says():
    error = BackendUnavailable("no answer from redis://cache", remedy="Start it.")
    found = Finding.of(error, "The state store does not answer", command="latchpin doctor")
    assert (found.severity, found.title) == (Severity.FAILURE, "The state store does not answer")
    assert (found.detail, found.remedy, found.cause) == (error.detail, error.for_operator(), error.code)
    assert found.command == "latchpin doctor"
