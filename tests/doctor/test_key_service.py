"""What doctor says of the key service that KEY_WRAPPER selects."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from latchpin.contracts import Severity
from latchpin.errors import ConfigurationError, Unsealable, UpstreamUnreachable
from latchpin.plugins.host import Plugins
from latchpin_doctor.examination import open_examination
from latchpin_doctor.key_service import check_key_service
from latchpin_doctor.running import examine
from latchpin_testing import SuiteKeyWrapper

from tests.doctor.conftest import of_check

pytestmark = pytest.mark.backends("sqlite")


class Forgetful(SuiteKeyWrapper):
    """Gives another key than it was given."""

    async def unwrap(self, wrapped, *, context):
        return secrets.token_bytes(32)


class Easy(SuiteKeyWrapper):
    """Does not mind what a key is for."""

    async def wrap(self, key, *, context):
        return await super().wrap(key, context={})

    async def unwrap(self, wrapped, *, context):
        return await super().unwrap(wrapped, context={})


def failing(error) -> SuiteKeyWrapper:
    wrapper = SuiteKeyWrapper()
    wrapper.failure = error
    return wrapper


@pytest.mark.parametrize(
    ("wrapper", "severity", "words"),
    [
        (SuiteKeyWrapper(), Severity.OK, ("wraps and unwraps a key", "")),
        (Forgetful(), Severity.FAILURE, ("unwraps another key", "")),
        (Easy(), Severity.FAILURE, ("does not mind", "Update it")),
        (
            failing(UpstreamUnreachable("no route", remedy="Start it.")),
            Severity.FAILURE,
            ("does not wrap", "Start it."),
        ),
        (failing(ConfigurationError("no", remedy="Allow it.")), Severity.FAILURE, ("does not wrap", "Allow it.")),
        (failing(Unsealable("no", remedy="Restore it.")), Severity.FAILURE, ("does not wrap", "Restore it.")),
    ],
)
async def test_a_key_service_is_tried(settings, monkeypatch, wrapper, severity, words):
    title, helps = words
    async with open_examination(Plugins()) as opened:
        assert await check_key_service(opened) == []  # KEY_WRAPPER=none
        monkeypatch.setitem(opened.application.services.context.key_wrappers, "suite", wrapper)
        examination = replace(opened, settings=opened.settings.model_copy(update={"key_wrapper": "suite"}))
        [finding, unused] = await check_key_service(examination)
        ringed = examination.settings.model_copy(update={"key_source": "ring"})
        [alone] = await check_key_service(replace(examination, settings=ringed))
        [away] = await check_key_service(replace(examination, application=None))
        asked = wrapper.asked
        [spared] = await check_key_service(replace(examination, offline=True))
    assert (finding.severity, title in finding.title, finding.remedy.startswith(helps)) == (severity, True, True)
    assert (unused.severity, "wraps nothing" in unused.title) == (Severity.WARNING, True)
    assert alone == finding
    assert (away.severity, spared.severity, wrapper.asked) == (Severity.SKIPPED, Severity.SKIPPED, asked)


async def test_the_check_is_among_those_of_doctor(settings):
    async with open_examination(Plugins()) as examination:
        report = await examine(examination)
    assert of_check(report, "key-service") == []
