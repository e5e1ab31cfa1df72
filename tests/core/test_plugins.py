"""The plugin door: broken, misspelt and clashing plugins are named, and stop a start but not the help."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from latchpin.errors import PluginError, SettingsError
from latchpin.plugins.hookspecs import SERVER_PROFILES, STATE_STORE
from latchpin.plugins.host import Plugins
from latchpin.settings import load, mask, masked
from latchpin.settings.core import CoreSettings

STORE = """
import latchpin
from pydantic_settings import BaseSettings

@latchpin.hookimpl
def latchpin_state_store():
    return latchpin.Backend("{name}", "{name}", BaseSettings, print)
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a plugin module and give its entry point."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make_one(name: str, source: str) -> EntryPoint:
        module = f"plugin_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        made.append(module)
        return EntryPoint(name, module, "latchpin")

    yield make_one
    for module in made:
        sys.modules.pop(module, None)


PROVIDERS = """
import latchpin

@latchpin.hookimpl
def latchpin_server_profiles():
    return [latchpin.ServerProfile("acme", "Acme", ("login.acme.example",), omit_resource=True)]
"""


def test_a_plugin_adds_to_the_provider_table(make):
    [entry] = Plugins([make("acme", PROVIDERS)]).values(SERVER_PROFILES)
    assert (entry.name, entry.omit_resource) == ("acme", True)


def test_offers_are_listed_by_their_names(make):
    plugins = Plugins([make("b", STORE.format(name="two")), make("a", STORE.format(name="one"))])
    plugins.require_sound()
    assert [offer.name for offer in plugins.offers(STATE_STORE)] == ["one", "two"]


def test_a_plugin_that_fails_to_import_is_named_with_the_cause_and_the_others_work(make):
    plugins = Plugins([make("bad", "import no_such_module_anywhere"), make("good", STORE.format(name="good"))])
    assert [offer.name for offer in plugins.offers(STATE_STORE)] == ["good"]
    with pytest.raises(PluginError, match=r"'bad'.*no_such_module_anywhere"):
        plugins.require_sound()


def test_a_misspelt_hook_is_refused(make):
    source = "import latchpin\n\n@latchpin.hookimpl\ndef latchpin_stat_store():\n    return None\n"
    with pytest.raises(PluginError, match=r"no hook of latchpin .*did you mean latchpin_state_store"):
        Plugins([make("typo", source)]).require_sound()


def test_two_plugins_with_one_name_are_both_named(make):
    plugins = Plugins([make("first", STORE.format(name="same")), make("second", STORE.format(name="same"))])
    with pytest.raises(PluginError, match="two plugins offer 'same'"):
        plugins.offers(STATE_STORE)


def test_a_hook_that_fails_names_its_plugin(make):
    source = "import latchpin\n\n@latchpin.hookimpl\ndef latchpin_state_store():\n    return 1 / 0\n"
    with pytest.raises(PluginError, match="'zero'"):
        Plugins([make("zero", source)]).offers(STATE_STORE)


def test_an_unknown_name_lists_what_is_installed_and_what_to_install(make):
    plugins = Plugins([make("a", STORE.format(name="one"))])
    with pytest.raises(SettingsError, match="CACHE_TYPE holds 'memroy'") as caught:
        plugins.select(STATE_STORE, "memroy")
    assert "installed: one" in caught.value.detail
    assert "latchpin-sql-store" in caught.value.remedy


def test_the_built_in_parts_come_through_the_same_door():
    offered = {
        (offer.hook.name, offer.name) for offer in Plugins().all_offers() if offer.plugin.distribution == "latchpin"
    }
    assert {
        ("latchpin_signer", "hmac-sha256"),
        ("latchpin_cipher", "aes-gcm"),
        ("latchpin_pkce_methods", "S256"),
        ("latchpin_client_registrar", "static"),
        ("latchpin_identity", "bearer"),
        ("latchpin_identity", "session"),
        ("latchpin_identity", "proxy"),
    } <= offered


def test_a_setting_that_does_not_hold_names_itself_and_masks_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JWT_SECRET_KEY", "short-secret")
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("BASE_URL", "https://ann:hunter2@example.com")
    with pytest.raises(SettingsError) as caught:
        load(CoreSettings)
    assert "PORT holds 'many'" in caught.value.detail
    assert "short-secret" not in caught.value.detail
    assert "hunter2" not in caught.value.detail


def test_settings_are_shown_as_env_writes_them_and_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ADMIN_EMAILS", "ann@example.com,ben@example.com")
    monkeypatch.setenv("OAUTH_DISCOVERY_ENABLED", "false")
    monkeypatch.setenv("AUTH_ENCRYPTION_SECRETS_OLD", "an-earlier-secret,one-before-that")
    shown = masked(load(CoreSettings))
    assert shown["ADMIN_EMAILS"] == '["ann@example.com", "ben@example.com"]'
    assert (shown["OAUTH_DISCOVERY_ENABLED"], shown["OAUTH_FOLLOW_ISSUER_CHANGE"]) == ("false", "false")
    assert (shown["TRUSTED_PROXIES"], shown["JWT_ISSUER"], shown["JWT_SECRET_KEY"]) == ("", "", "")
    assert shown["AUTH_ENCRYPTION_SECRETS_OLD"] == '["**********", "**********"]'
    for name, value in shown.items():
        if "SECRET" not in name:
            monkeypatch.setenv(name, value)
    assert masked(load(CoreSettings)) == shown


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        ("redis://ann:pw@h:1/0", "redis://ann:***@h:1/0"),
        ("redis://h:1/0?password=pw&db=2", "redis://h:1/0?password=***&db=2"),
        ("postgresql://h/db?user=ann&password=a@b", "postgresql://h/db?user=ann&password=***"),
        ("https://h/a?b=c", "https://h/a?b=c"),
        ("https://h:8443/a?b=c", "https://h:8443/a?b=c"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://h/people/@me?who=a@b", "https://h/people/@me?who=a@b"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("postgresql://me@tenant:hush@h/d", "postgresql://me@tenant:***@h/d"),
        ("redis+cluster://u:pw@a:1,[::1]:2,c/0", "redis+cluster://u:***@a:1,[::1]:2,c/0"),
        ("postgresql://u:p@a,b:5/d?password=x", "postgresql://u:***@a,b:5/d?password=***"),
        # A password with a character that ends it early: none of it may show.
        ("postgresql://u:hush@hush@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:hu:sh@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:hush/hush@h/d", "postgresql://u:***"),
        ("postgresql://u:hush?hush@h/d", "postgresql://u:***"),
        ("postgresql://u:hush#hush@h/d", "postgresql://u:***"),
        ("postgresql://u:123?hush@h/d", "postgresql://u:***"),
        ("postgresql://u:hush@hush/hush@h/d", "postgresql://u:***"),
        ("postgresql://u:pw@h/d?password=a@hush", "postgresql://u:***"),
        ("postgresql://h:1/d?password=a&b@hush", "postgresql://h:***"),
        ("postgresql://h/d?password=a&hush&x=y", "postgresql://h/d?password=***&***&x=y"),
        ("postgresql://u:hush/d", "postgresql://u:***"),
        ("postgresql://u/x:hush@h/d", "postgresql://***"),
        ("postgresql://u:p@h:hush/d", "postgresql://u:***"),
        ("redis://:hush", "redis://:***"),
        ("redis://u:12,hush", "redis://u:***"),
        ("redis://u:12,hush:34", "redis://u:***"),
        ("redis://u:12,hush:34@h:hush,x/0", "redis://u:***"),
        ("redis://hush@h/0", "redis://***@h/0"),
        ("https://h/a?api_key=hush&sig=hush&apikey=hush", "https://h/a?api_key=***&sig=***&apikey=***"),
    ],
)
def test_a_password_in_a_url_is_masked_wherever_it_stands(held: str, shown: str):
    assert mask(held) == shown


def test_listing_the_plugins_loads_nothing_that_only_serving_needs(tmp_path: Path):
    code = (
        "import sys; from latchpin.assembly.plugin_report import build_plugin_report; "
        "from latchpin.plugins.host import Plugins; "
        "assert build_plugin_report(Plugins()).rows; print(*sys.modules)"
    )
    listed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert {"aiohttp", "fastapi", "jwt", "sqlalchemy"} & set(listed.stdout.split()) == set()
