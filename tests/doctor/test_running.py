"""How checks are run: each by itself, whatever a plugin does, and when parts of the gateway do not open."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from latchpin.contracts import Severity
from latchpin.plugins.host import Plugins
from latchpin_doctor.examination import open_examination
from latchpin_doctor.running import examine

from tests.doctor.conftest import of_check, one

pytestmark = pytest.mark.backends("sqlite")

THREE_CHECKS = """
import asyncio
import latchpin
from latchpin.contracts import Check, Finding, Severity

async def raises(context):
    raise ValueError("a-secret-in-a-message")

async def hangs(context):
    await asyncio.Event().wait()

async def works(context):
    return [Finding(Severity.WARNING, "The disk is nearly full", command="df -h")]

@latchpin.hookimpl
def latchpin_checks():
    return [
        Check("raises", "Disk", "what raises", raises),
        Check("hangs", "Disk", "what hangs", hangs),
        Check("works", "Disk", "what works", works),
    ]
"""

FAILS_IN_HOOKS = """
import latchpin

@latchpin.hookimpl
def latchpin_checks():
    return 1 / 0

@latchpin.hookimpl
def latchpin_record_store():
    return 1 / 0

@latchpin.hookimpl
def latchpin_identity():
    return 1 / 0
"""

WANTS_A_SETTING = """
from contextlib import asynccontextmanager
import latchpin

class Wanting(latchpin.Settings):
    door_colour: str

@asynccontextmanager
async def open_it(settings, context):
    yield settings.door_colour

@latchpin.hookimpl
def latchpin_client_registrar():
    return latchpin.Backend("door", "door", Wanting, open_it)
"""


@pytest.fixture
def with_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Everything that is installed, and one plugin more."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(source: str) -> Plugins:
        (tmp_path / "one_plugin_more.py").write_text(source)
        extra = EntryPoint("one_more", "one_plugin_more", "latchpin")
        return Plugins([*entry_points(group="latchpin"), extra])

    yield make
    sys.modules.pop("one_plugin_more", None)


async def test_a_check_that_raises_or_hangs_is_a_finding_and_the_others_go_on(settings, with_plugin):
    seen: list[str] = []
    async with open_examination(with_plugin(THREE_CHECKS)) as examination:
        async with asyncio.timeout(60):
            report = await examine(examination, longest=2, progress=seen.append)
    raised, hung, worked = (of_check(report, name)[0] for name in ("raises", "hangs", "works"))
    assert (raised.severity, raised.title) == (Severity.FAILURE, "Could not be checked: what raises")
    assert "ValueError" in raised.detail
    assert "a-secret-in-a-message" not in str(report.document())
    assert (hung.severity, hung.detail) == (Severity.FAILURE, "It was given up after 2 s.")
    assert (worked.severity, worked.command) == (Severity.WARNING, "df -h")
    assert list(report.groups)[-1] == "Disk"
    assert [title for title in seen if title.startswith("what ")][-3:] == ["what raises", "what hangs", "what works"]
    assert report.failed


async def test_a_plugin_that_fails_in_its_hooks_is_named_and_everything_else_is_checked(settings, with_plugin):
    async with open_examination(with_plugin(FAILS_IN_HOOKS)) as examination:
        report = await examine(examination)
    named = {finding.detail for finding in of_check(report, "plugins")}
    failed = ("latchpin_record_store", "latchpin_identity", "latchpin_checks")
    text = "plugin 'one_more' of (unknown) failed in {}: ZeroDivisionError: division by zero"
    assert named == {text.format(hook) for hook in failed}
    assert [finding.severity for finding in of_check(report, "stores")] == [Severity.OK, Severity.OK]
    assert one(report, "There is no gateway yet")


async def test_a_part_that_does_not_open_is_named_and_everything_else_is_checked(settings, with_plugin):
    async with open_examination(with_plugin(WANTS_A_SETTING)) as examination:
        report = await examine(examination)
    assert "DOOR_COLOUR is not set" in one(report, "DOOR_COLOUR").title
    assert one(report, "A gateway cannot start").severity is Severity.FAILURE
    assert [finding.severity for finding in of_check(report, "stores")] == [Severity.OK, Severity.OK]


async def test_a_gateway_that_is_not_there(settings, diagnose):
    finding = one(await diagnose(gateway_id="nowhere"), "There is no such gateway")
    assert (finding.severity, finding.command) == (Severity.FAILURE, "latchpin gateways list")


async def test_the_document_counts_and_links(settings, with_plugin):
    settings.setenv("AUTH_ENCRYPTION_SECRET", "short")
    settings.setenv("STATE_TTL_SECONDS", "20")
    async with open_examination(with_plugin(THREE_CHECKS)) as examination:
        document = (await examine(examination, longest=2)).document()
    findings = [finding for group in document["groups"] for finding in group["findings"]]
    assert sum(document["counts"].values()) == len(findings)
    assert document["ok"] is False
    assert {group["name"]: group["severity"] for group in document["groups"]}["Disk"] == "failure"
    keys = {"check", "severity", "title", "detail", "remedy", "command", "cause", "docs", "gateway_id", "fix"}
    assert all(set(finding) == keys for finding in findings)
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    linked = {finding["docs"].partition("#")[2] for finding in findings if finding["docs"]}
    assert linked == {"weak-secret", "state-expired"}
    assert all(f"### {slug}\n" in page for slug in linked)
