"""Who asks for what a distribution brings that is not installed is told which one it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from latchpin.commands.command_line import build
from latchpin.errors import PluginError
from latchpin.plugins import elsewhere
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import doubtful_settings
from typer.testing import CliRunner

from tests.servers.selection import CORE, plugins

COMMANDS = [(name, each) for each, brings in elsewhere.ELSEWHERE.items() for name in brings.commands]
SETTINGS = [(name, each) for each, brings in elsewhere.ELSEWHERE.items() for name in brings.settings]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only the core is installed."""
    monkeypatch.setattr(elsewhere, "_is_installed", lambda _: False)
    monkeypatch.setattr("latchpin.commands.command_line._commands_of_plugins", list)
    elsewhere.missing.cache_clear()
    yield
    elsewhere.missing.cache_clear()


@pytest.mark.parametrize("rest", [[], ["--help"], ["--once", "x"]], ids=str)
@pytest.mark.parametrize(("name", "distribution"), COMMANDS)
def test_a_missing_command_names_what_brings_it(name: str, distribution: str, rest: list[str], alone):
    ended = CliRunner().invoke(build(), [name, *rest])
    assert isinstance(ended.exception, PluginError)
    assert ended.exception.detail == f"'latchpin {name}' comes with {distribution}, which is not installed"
    assert ended.exception.for_operator() == f"Install it: pip install {distribution}"


def test_the_help_does_not_list_what_is_missing(alone):
    listed = CliRunner().invoke(build(), ["--help"]).stdout
    assert "serve" in listed
    assert [name for name, _ in COMMANDS if f" {name} " in listed] == []


@pytest.mark.parametrize(("name", "distribution"), SETTINGS)
def test_a_setting_that_nobody_reads_names_who_would(
    name: str, distribution: str, alone, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "true" if name.endswith("_ENABLED") else "https://example.com")
    assert f"{name} is set, and {distribution}, which reads it, is not installed" in doubtful_settings(Plugins())
    monkeypatch.setenv(name, "false")
    assert not [each for each in doubtful_settings(Plugins()) if name in each]


def test_the_first_that_has_an_address_is_meant(alone):
    assert elsewhere.missing_behind("/gateways/some-id/mcp") == "latchpin-proxy"
    assert elsewhere.missing_behind("/admin/doctor") == "latchpin-doctor"
    assert elsewhere.missing_behind("/admin/settings") == "latchpin-admin-ui"
    assert elsewhere.missing_behind("/administration") is None


def test_each_distribution_is_one_of_this_repository():
    assert elsewhere.ELSEWHERE.keys() <= {each.name for each in plugins()} - {CORE.name}
