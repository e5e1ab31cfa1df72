"""The suite for key services: the suites' own service keeps it, careless ones break it; how one is selected."""

from __future__ import annotations

from contextlib import asynccontextmanager

import latchpin
import pytest
from latchpin.assembly.assembling import assemble
from latchpin.contracts import Backend
from latchpin.errors import ConfigurationError, SettingsError, UpstreamUnreachable
from latchpin.plugins.hookspecs import KEY_WRAPPER
from latchpin.plugins.host import Plugins
from latchpin.settings.core import CoreSettings
from latchpin_testing import KeyWrapperContract, SuiteKeyWrapper


@asynccontextmanager
async def one_for_all(settings, context):
    yield ONE_FOR_ALL


ONE_FOR_ALL = SuiteKeyWrapper()
SUITE = Backend("suite", "the suite's", latchpin.Settings, one_for_all)


class TestSuiteKeyWrapper(KeyWrapperContract):
    @pytest.fixture
    def offer(self):
        return SUITE


async def test_the_suites_service_can_be_away():
    wrapper = SuiteKeyWrapper()
    wrapper.failure = UpstreamUnreachable("no route")
    with pytest.raises(UpstreamUnreachable):
        await wrapper.wrap(b"k" * 32, context={})
    assert wrapper.asked == 1


class Careless:
    """Wraps by turning around; asks nobody, whatever is refused or away."""

    def __init__(self, context):
        self._context = context

    async def wrap(self, key, *, context):
        return key[::-1]

    async def unwrap(self, wrapped, *, context):
        return wrapped[::-1]


class Inventive(Careless):
    """Makes up a key where the service does not answer."""

    async def wrap(self, key, *, context):
        try:
            await self._context.upstream.get("http://vault.internal")
        except (UpstreamUnreachable, ConfigurationError):
            return b"made up"
        raise AssertionError


def offer_of(kind):
    @asynccontextmanager
    async def opened(settings, context):
        yield kind(context)

    return Backend("careless", "careless", latchpin.Settings, opened)


@pytest.mark.parametrize(
    ("rule", "kind", "arguments"),
    [
        (KeyWrapperContract.test_unwrap_reverses_wrap, Careless, (1,)),
        (KeyWrapperContract.test_a_wrapped_key_is_bound_to_its_context, Careless, (1, {})),
        (KeyWrapperContract.test_a_damaged_key_does_not_unwrap, Careless, (1,)),
        (KeyWrapperContract.test_a_service_that_refuses_us_is_said_so, Careless, (1, 2)),
        (KeyWrapperContract.test_a_silent_service_is_said_so, Inventive, (1, 2, UpstreamUnreachable("no route"))),
    ],
)
async def test_careless_ones_break_the_rules(rule, kind, arguments):
    with pytest.raises(pytest.fail.Exception, match="contract broken: "):
        await rule(KeyWrapperContract(), offer_of(kind), *arguments)


# -- selection ------------------------------------------------------------------------------------------


def settings_with(name: str) -> CoreSettings:
    return CoreSettings(cache_type="memory", record_store="memory", key_wrapper=name)


@pytest.fixture
def offering(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """What is installed, and ``KEY_WRAPPER=suite``."""
    plugins = Plugins()
    select = plugins.select
    monkeypatch.setattr(plugins, "select", lambda hook, name: SUITE if hook is KEY_WRAPPER else select(hook, name))
    return plugins


@pytest.mark.needs("latchpin_memory_store")
async def test_the_selected_service_is_given_to_plugins(offering, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with assemble(offering, settings_with("suite")) as services:
        assert services.context.key_wrapper is ONE_FOR_ALL
        assert services.context.key_wrappers == {"suite": ONE_FOR_ALL}
    async with assemble(offering, settings_with("none")) as services:
        assert (services.context.key_wrapper, services.context.key_wrappers) == (None, {})
    earlier = settings_with("none").model_copy(update={"key_wrappers_old": ("suite", "none")})
    async with assemble(offering, earlier) as services:
        assert (services.context.key_wrapper, services.context.key_wrappers) == (None, {"suite": ONE_FOR_ALL})


@pytest.mark.needs("latchpin_memory_store")
async def test_a_service_that_nothing_offers_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="KEY_WRAPPER holds 'rot13'") as caught:
        async with assemble(Plugins(), settings_with("rot13")):
            pytest.fail("it must not open")
    assert "latchpin-kms-aws (aws-kms) or latchpin-kms-vault (vault)" in caught.value.remedy
    assert "none" in caught.value.remedy
