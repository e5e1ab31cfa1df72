"""The suite for doctor's checks, and the barest context that one may meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from latchpin.contracts import Check, CheckContext, Clock, Finding, Severity
from latchpin.errors import known_causes
from pydantic_settings import BaseSettings

from latchpin_testing.clock import MovedClock
from latchpin_testing.rules import found, holds

__all__ = ["BareCheckContext", "CheckContract"]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class BareCheckContext:
    """Implements ``latchpin.contracts.CheckContext``: nothing could be opened, nobody serves, nobody may be asked."""

    clock: Clock = field(default_factory=MovedClock)
    offline: bool = True
    gateway_id: str | None = None
    base_url: str = "http://localhost:4444"
    state_backend: Any = None
    record_backend: Any = None
    records: Any = None
    opened: Any = None
    upstream: Any = None
    instances: Sequence[Any] = ()

    def load(self, model: type[SettingsT]) -> SettingsT:
        """A settings model as it is without any setting."""
        return model()


@pytest.mark.asyncio
class CheckContract:
    """What ``latchpin.contracts.Check`` promises. A subclass gives ``check``, and a ``check_context`` to look at."""

    @pytest.fixture
    def check(self) -> Check:
        """One of those that your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'check': return one of those that your hook returns")

    @pytest.fixture
    def check_context(self) -> CheckContext:
        """Where it looks. By default nothing could be opened: a check says what it can without it."""
        return BareCheckContext()

    async def test_it_gives_findings_that_help(self, check: Check, check_context: CheckContext) -> None:
        """Each with a title; what is wrong with a way to mend it, what was skipped with the reason."""
        try:
            findings = await check.run(check_context)
        except Exception as exc:
            raise AssertionError(f"contract broken: a check says what it can without the rest; {found(exc)}") from exc
        listed = isinstance(findings, list | tuple)
        holds(listed, "a check gives a list of Finding", found(type(findings)))
        for finding in findings:
            holds(isinstance(finding, Finding), "a check gives a list of Finding", found(type(finding)))
            holds(finding.title.strip(), "a finding has a title")
            wrong = finding.severity in {Severity.WARNING, Severity.FAILURE}
            holds(not wrong or finding.remedy.strip(), "what is wrong has a remedy", finding.title)
            skipped = finding.severity is Severity.SKIPPED
            holds(not skipped or finding.detail.strip(), "what is skipped has a reason", finding.title)
            named = not finding.cause or finding.cause in known_causes()
            holds(named, "a finding names a cause that there is, or none", found(finding.cause))
            holds(finding.fix is None or finding.fix.what.strip(), "a fix says what it will do", finding.title)

    async def test_it_is_found_under_a_heading(self, check: Check) -> None:
        """Its name is lower case without blanks; heading and title are for people."""
        fits = check.name and check.name == check.name.lower() and " " not in check.name
        holds(fits, "a check's name is lower case without blanks", found(check.name))
        holds(check.group.strip() and check.title.strip(), "a check has a heading and a title")
