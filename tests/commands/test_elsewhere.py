"""Who types a command of a distribution that is not installed is told which one brings it."""

from __future__ import annotations

import pytest
from latchpin.commands import elsewhere
from latchpin.commands.main import build
from latchpin.errors import PluginError
from typer.testing import CliRunner

from tests.servers.distributions import CORE, plugins


@pytest.mark.parametrize("rest", [[], ["--help"], ["--once", "--folder", "x"]], ids=str)
@pytest.mark.parametrize(("name", "distribution"), elsewhere.ELSEWHERE.items())
def test_a_missing_command_names_what_brings_it(
    name: str, distribution: str, rest: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "_is_installed", lambda _: False)
    monkeypatch.setattr("latchpin.commands.main._commands_of_plugins", list)
    ended = CliRunner().invoke(build(name), [name, *rest])
    assert isinstance(ended.exception, PluginError)
    assert ended.exception.detail == f"'latchpin {name}' comes with {distribution}, which is not installed"
    assert ended.exception.for_operator() == f"Install it: pip install {distribution}"


def test_the_help_does_not_list_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_is_installed", lambda _: False)
    monkeypatch.setattr("latchpin.commands.main._commands_of_plugins", list)
    listed = CliRunner().invoke(build(), ["--help"]).stdout
    assert "serve" in listed
    assert [name for name in elsewhere.ELSEWHERE if f" {name} " in listed] == []


def test_each_is_a_distribution_of_this_repository() -> None:
    assert set(elsewhere.ELSEWHERE.values()) <= {each.name for each in plugins()} - {CORE.name}
