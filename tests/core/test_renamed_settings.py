"""Settings that had another name: the old one is read, and somebody is told."""

import pytest
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import doubtful_settings
from latchpin.settings import load
from latchpin_refresh_ahead.settings import RefreshAheadSettings


@pytest.mark.parametrize("place", ["environment", "file"])
def test_an_old_name_is_read_and_said(place, monkeypatch, tmp_path):
    if place == "environment":
        monkeypatch.setenv("FRESHEN", "true")
    else:
        (tmp_path / ".env").write_text("FRESHEN=true\n")
        monkeypatch.chdir(tmp_path)
    assert load(RefreshAheadSettings).refresh_ahead
    assert doubtful_settings(Plugins()) == [
        "FRESHEN is called REFRESH_AHEAD now; the old name is still read, but not for ever"
    ]


def test_the_new_name_wins(monkeypatch):
    monkeypatch.setenv("FRESHEN", "true")
    monkeypatch.setenv("REFRESH_AHEAD", "false")
    assert not load(RefreshAheadSettings).refresh_ahead


def test_new_names_are_in_order(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVER_PROFILES_FILE", "profiles.toml")
    assert doubtful_settings(Plugins()) == []
