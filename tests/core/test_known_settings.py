"""Every model of settings is shown, whoever reads it and however many a distribution has."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import latchpin
import pytest
from latchpin.contracts import Backend
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import changed_settings, settings_models, shown_settings
from latchpin.settings import variables
from latchpin_admin_cli.env_example import write_example


class First(latchpin.Settings):
    acme_first: str = "1"


class Second(latchpin.Settings):
    acme_second: str = "2"


class Third(latchpin.Settings):
    acme_third: str = "3"


class Fourth(latchpin.Settings):
    acme_fourth: str = "4"


def plugin(name: str) -> ModuleType:
    """One plugin that offers two backends of one name, and two models of settings beside them."""
    made = ModuleType(name)

    @latchpin.hookimpl
    def latchpin_state_store() -> object:
        return Backend("acme", "ACME", First, print)  # type: ignore[arg-type]  # it is never opened

    @latchpin.hookimpl
    def latchpin_record_store() -> object:
        return Backend("acme", "ACME", Second, print)  # type: ignore[arg-type]  # it is never opened

    @latchpin.hookimpl
    def latchpin_settings() -> object:
        return [Third, Fourth, First]

    for hook in (latchpin_state_store, latchpin_record_store, latchpin_settings):
        setattr(made, hook.__name__, hook)
    return made


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setitem(sys.modules, "acme_with_four", plugin("acme_with_four"))
    return Plugins([EntryPoint("acme", "acme_with_four", "latchpin")])


def test_no_model_hides_another_of_the_same_distribution(plugins: Plugins) -> None:
    found = settings_models(plugins)
    assert set(found.values()) >= {First, Second, Third, Fourth}
    assert len(found) == len(set(found.values()))


def test_all_of_them_are_shown_and_in_the_example(plugins: Plugins) -> None:
    shown = {name: value for held in shown_settings(plugins).values() for name, value in held.items()}
    example = write_example(settings_models(plugins)).splitlines()
    for name, value in {"ACME_FIRST": "1", "ACME_SECOND": "2", "ACME_THIRD": "3", "ACME_FOURTH": "4"}.items():
        assert shown[name] == value
        assert f"{name}={value}" in example


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("ACME_FIRST", "7", "1"),
        ("ACME_FIRST", "1", None),
        ("ACME_FIRST", "", None),
        ("STATE_TTL_SECONDS", "240", "300"),
        ("AUTH_ENCRYPTION_SECRETS_OLD", '["' + "s" * 40 + '"]', ""),
        ("ADMIN_EMAILS", "ada@example.com", ""),
    ],
)
def test_what_differs_from_its_default_is_known_with_that_default(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch, name: str, value: str, default: str | None
) -> None:
    for known in settings_models(plugins).values():
        for variable in variables(known):
            monkeypatch.delenv(variable, raising=False)
    assert changed_settings(plugins) == {}
    monkeypatch.setenv(name, value)
    assert changed_settings(plugins) == ({} if default is None else {name: default})
