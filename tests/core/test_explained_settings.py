"""A setting that is refused is named with what it holds, and nothing that stands beside it is shown."""

from __future__ import annotations

from pathlib import Path

import latchpin
import pytest
from latchpin.assembly.assembling import assemble
from latchpin.contracts import Backend
from latchpin.errors import SettingsError
from latchpin.plugins.hookspecs import IDENTITY
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from pydantic import BaseModel, SecretStr

HUSH = "hush-hush-hush"


class Vault(BaseModel):
    address: str
    password: SecretStr
    turns: int = 0


class Settings(latchpin.Settings):
    acme_url: str
    acme_key: SecretStr
    acme_vaults: tuple[Vault, ...] = ()
    acme_levels: dict[str, int] = {}  # noqa: RUF012  a field of pydantic's


WHOLE = {"ACME_URL": "https://acme.example", "ACME_KEY": HUSH}

REFUSED = [
    ({"ACME_KEY": HUSH}, "ACME_URL is not set, and it has no default", "the key stands beside it"),
    ({"ACME_KEY": HUSH, "ACME_URL": ""}, "ACME_URL is not set, and it has no default", "empty means not set"),
    (
        WHOLE | {"ACME_VAULTS": f'[{{"password": "{HUSH}"}}]'},
        "ACME_VAULTS.0.address is not set, and it has no default",
        "the password stands beside it, one level below",
    ),
    (
        WHOLE | {"ACME_VAULTS": f'[{{"address": "x", "password": ["{HUSH}"]}}]'},
        "ACME_VAULTS holds **********: Input should be a valid string",
        "a member that is named as a secret",
    ),
    (
        WHOLE | {"ACME_VAULTS": f'[{{"address": "x", "password": "{HUSH}", "turns": "many"}}]'},
        "ACME_VAULTS holds 'many': Input should be a valid integer",
        "what is wrong is shown where it is no secret",
    ),
    (WHOLE | {"ACME_LEVELS": '{"a": "high"}'}, "ACME_LEVELS holds 'high'", "the same in a map"),
]


@pytest.mark.parametrize(("given", "told", "why"), REFUSED)
def test_a_refused_setting_shows_no_secret(monkeypatch, tmp_path: Path, given, told, why):
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    assert told in caught.value.detail, why
    assert HUSH not in f"{caught.value.detail} {caught.value.public} {caught.value.remedy}"


@pytest.mark.needs("latchpin_memory_store")
async def test_a_setting_that_a_plugin_lacks_is_told_with_the_plugin(monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    plugins = Plugins()
    offer = plugins.offers(IDENTITY)[0]
    mine = Backend(offer.name, "x", Settings, print)
    monkeypatch.setattr(plugins, "ranked", lambda hook: [mine] if hook is IDENTITY else [])
    with pytest.raises(SettingsError) as caught:
        async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")):
            pytest.fail("it must not open")
    assert "ACME_URL is not set" in caught.value.in_full
    assert f"{offer.plugin} could not open " in caught.value.in_full
