"""Doctor's own checks keep the contract of a check, also where nothing could be opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from latchpin.contracts import Severity
from latchpin.errors import PluginError
from latchpin.errors.causes import CAUSES
from latchpin.model import CollectionSpec, Document
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.settings import CoreSettings
from latchpin_doctor import plugin
from latchpin_doctor.examination import Examination
from latchpin_doctor.plugin_checks import check_plugins
from latchpin_doctor.running import run_checks
from latchpin_testing import CheckContract, MovedClock

from tests.doctor.conftest import of_check
from tests.support.gateway_in_process import open_gateway


def examination(plugins: Plugins) -> Examination:
    return Examination(MovedClock(), True, None, CoreSettings.model_construct(), plugins, None, None, None)


class TestChecks(CheckContract):
    @pytest.fixture
    def check_context(self):
        """They look at more than a plugin's, and here too nothing could be opened."""
        return examination(Plugins())

    @pytest.fixture(params=plugin.latchpin_checks(), ids=lambda check: check.name)
    def check(self, request):
        return request.param


async def test_each_fault_of_a_plugin_is_told_once(monkeypatch: pytest.MonkeyPatch):
    fault = PluginError("plugin 'acme' of acme-plugin 7.2 failed to load", remedy="Uninstall it.")
    monkeypatch.setattr(Plugins, "faults", lambda self: [fault, fault])
    [finding] = await check_plugins(examination(Plugins()))
    assert (finding.severity, finding.detail, finding.remedy) == (Severity.FAILURE, fault.detail, fault.remedy)


async def test_a_sealed_member_of_a_plugins_document_that_no_key_opens_is_counted(settings):
    spec = CollectionSpec("acme_notes", sealed=frozenset({"word"}))
    async with open_gateway() as gateway:
        services = gateway.application.services
        for name in ("mine", "yours"):
            await services.context.collection(spec).put(Document(name, {"word": "secret", "plain": 1}))
        assert of_check(await run_checks(gateway.application), "sealed")[0].severity is Severity.OK
        await services.records.collection(spec).put(Document("theirs", {"word": "sealed under another secret"}))
        [finding] = of_check(await run_checks(gateway.application), "sealed")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "unsealable")
    assert "1 documents of acme_notes" in finding.detail


def test_each_cause_that_a_finding_names_is_one_of_the_catalogue():
    folder = Path(plugin.__file__).parent
    named = {cause for file in folder.glob("*.py") for cause in re.findall(r'"(state-[a-z-]+)"', file.read_text())}
    assert len(named) > 4
    assert named <= CAUSES.keys()
