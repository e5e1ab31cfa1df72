"""``latchpin serve --freshen`` and the setting behind it."""

from __future__ import annotations

import os

import pytest
from latchpin.commands import serving
from latchpin.configuration import CoreSettings
from latchpin.plugins import Plugins
from typer.testing import CliRunner

pytestmark = pytest.mark.needs("latchpin_memory_store")


@pytest.mark.parametrize(
    ("arguments", "setting", "freshen"),
    [([], "false", False), (["--freshen"], "false", True), ([], "true", True)],
)
def test_the_option_comes_before_the_setting(arguments, setting, freshen, environment, monkeypatch):
    served: list[CoreSettings] = []

    def serve(settings: CoreSettings, plugins: Plugins) -> int:
        served.append(settings)
        return 0

    environment.setenv("FRESHEN", setting)
    monkeypatch.setattr(serving, "run_server", serve)
    monkeypatch.setattr(serving, "set_up_logging", lambda _settings: None)
    ended = CliRunner().invoke(serving.app, ["serve", *arguments])
    assert ended.exit_code == 0, ended.output
    assert served[0].freshen is freshen
    assert ("true" if freshen else "false") == os.environ["FRESHEN"].lower()  # what worker processes will read
