"""``latchpin serve --refresh-ahead`` and the setting behind it."""

from __future__ import annotations

import os

import pytest
from latchpin.commands import serving
from latchpin.plugins.host import Plugins
from latchpin.settings.core import CoreSettings
from typer.testing import CliRunner

pytestmark = pytest.mark.needs("latchpin_memory_store")


@pytest.mark.parametrize(
    ("arguments", "setting", "refresh_ahead"),
    [([], "false", False), (["--refresh-ahead"], "false", True), ([], "true", True)],
)
def test_the_option_comes_before_the_setting(arguments, setting, refresh_ahead, environment, monkeypatch):
    served: list[CoreSettings] = []

    def serve(settings: CoreSettings, plugins: Plugins) -> int:
        served.append(settings)
        return 0

    environment.setenv("REFRESH_AHEAD", setting)
    monkeypatch.setattr(serving, "run_server", serve)
    monkeypatch.setattr(serving, "set_up_logging", lambda _settings: None)
    ended = CliRunner().invoke(serving.app, ["serve", *arguments])
    assert ended.exit_code == 0, ended.output
    assert served[0].refresh_ahead is refresh_ahead
    assert ("true" if refresh_ahead else "false") == os.environ[
        "REFRESH_AHEAD"
    ].lower()  # what worker processes will read
