"""Settings that are set nowhere are made once; whatever is said of them counts from then on, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from latchpin.settings import Settings, load
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class Unset(Settings):
    unset_colour: str = "red"
    unset_secret: SecretStr = SecretStr("")


def test_it_is_made_once() -> None:
    assert load(Unset) is load(Unset)


def test_what_is_said_later_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(Unset).unset_colour == "red"
    monkeypatch.setenv("Unset_Colour", "green")
    assert load(Unset).unset_colour == "green"
    monkeypatch.delenv("Unset_Colour")
    assert load(Unset).unset_colour == "red"
    (tmp_path / "word").write_text("of a file")
    monkeypatch.setenv("UNSET_SECRET_FILE", str(tmp_path / "word"))
    assert load(Unset).unset_secret.get_secret_value() == "of a file"
    monkeypatch.delenv("UNSET_SECRET_FILE")
    Path(".env").write_text("UNSET_COLOUR=blue\n")
    assert load(Unset).unset_colour == "blue"


class OfAnotherFile(Unset):
    model_config = SettingsConfigDict(env_file="other.env")


class OfAFolder(Unset):
    model_config = SettingsConfigDict(secrets_dir="secrets")


class FromElsewhere(Unset):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **more: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return tuple(more.values())


@pytest.mark.parametrize("model", [OfAnotherFile, OfAFolder, FromElsewhere])
def test_what_is_read_elsewhere_too_is_read_each_time(model: type[Unset]) -> None:
    Path("secrets").mkdir()
    assert load(model) is not load(model)
