"""Doctor's own checks keep the contract of a check, also where nothing could be opened."""

from __future__ import annotations

import pytest
from latchpin.contracts import Severity
from latchpin.errors import PluginError
from latchpin.sdk.assembly import Plugins
from latchpin.sdk.settings import CoreSettings
from latchpin_doctor import plugin
from latchpin_doctor.examination import Examination
from latchpin_doctor.plugin_checks import check_plugins
from latchpin_testing import CheckContract, MovedClock


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
