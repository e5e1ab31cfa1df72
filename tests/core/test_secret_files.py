"""A secret from the file that ``NAME_FILE`` names, as orchestrators mount it."""

from __future__ import annotations

import pytest
from latchpin.errors import SettingsError
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import doubtful_settings, settings_models
from latchpin.settings import load, variables
from latchpin.settings.core import CoreSettings
from latchpin_enterprise.settings import EnterpriseSettings
from latchpin_redis_store.settings import RedisSettings
from latchpin_sql_store.settings import SqlSettings

SECRET = "from a file, 32 bytes or more of it"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working folder: no ``.env`` but a test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTH_ENCRYPTION_SECRET", raising=False)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    return tmp_path


@pytest.mark.parametrize("place", ["environment", "file"])
def test_the_file_holds_the_secret(place, folder, monkeypatch):
    if place == "environment":
        monkeypatch.setenv("AUTH_ENCRYPTION_SECRET_FILE", str(folder / "secret"))
    else:
        (folder / ".env").write_text("AUTH_ENCRYPTION_SECRET_FILE=secret\n")
    assert load(CoreSettings).auth_encryption_secret.get_secret_value() == SECRET
    assert doubtful_settings(Plugins()) == []


def test_lists_of_secrets_and_urls_with_passwords_have_files_too(folder, monkeypatch):
    (folder / "old").write_text("first\r\nsecond\r\n")
    (folder / "url").write_text("postgresql://me:pass@db/latchpin")
    monkeypatch.setenv("AUTH_ENCRYPTION_SECRETS_OLD_FILE", "old")
    monkeypatch.setenv("DATABASE_URL_FILE", "url")
    assert [each.get_secret_value() for each in load(CoreSettings).auth_encryption_secrets_old] == ["first", "second"]
    assert load(SqlSettings).database_url.get_secret_value() == "postgresql://me:pass@db/latchpin"


def test_every_secret_has_one_and_nothing_else_has():
    named = {name for model in settings_models(Plugins()).values() for name in variables(model)}
    having = {name for name in named if f"{name}_FILE" in named}
    secrets = {
        "AUTH_ENCRYPTION_SECRET",
        "AUTH_ENCRYPTION_SECRETS_OLD",
        "DATABASE_URL",
        "IDENTITY_PROVIDER_CLIENT_SECRET",
        "JWT_SECRET_KEY",
        "METRICS_TOKEN",
        "REDIS_URL",
    }
    assert secrets <= having
    others = {"EDGE_SECRET", "OIDC_LOGIN_CLIENT_SECRET", "OUTBOUND_PROXY", "REDIS_SENTINEL_PASSWORD"}
    others |= {"MAIL_SMTP_PASSWORD", "SCIM_TOKEN", "VAULT_SECRET_ID", "VAULT_TOKEN", "WEBHOOK_SECRETS", "WEBHOOK_URLS"}
    assert having <= secrets | others | {"AUDIT_CALLS"}, "AUDIT_CALLS_FILE is where calls are written"


def test_the_environment_comes_before_the_file_whichever_has_which(folder, monkeypatch):
    (folder / ".env").write_text("REDIS_URL_FILE=secret\nJWT_SECRET_KEY=from .env\n")
    monkeypatch.setenv("REDIS_URL", "redis://cache:6379/1")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", "secret")
    assert load(RedisSettings).redis_url == "redis://cache:6379/1"
    key = load(CoreSettings).jwt_secret_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_an_empty_name_is_no_file(monkeypatch):
    monkeypatch.setenv("IDENTITY_PROVIDER_CLIENT_SECRET_FILE", "")
    assert load(EnterpriseSettings).identity_provider_client_secret is None


def test_two_places_for_one_secret_are_refused(monkeypatch):
    monkeypatch.setenv("AUTH_ENCRYPTION_SECRET", "written out, and long enough to be one")
    monkeypatch.setenv("AUTH_ENCRYPTION_SECRET_FILE", "secret")
    with pytest.raises(SettingsError) as refused:
        load(CoreSettings)
    assert refused.value.public == (
        "AUTH_ENCRYPTION_SECRET and AUTH_ENCRYPTION_SECRET_FILE are set; one secret comes from one place"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "'secret', which cannot be read: No such file or directory"),
        (b"", "an empty file: 'secret'"),
        (b" \n", "an empty file: 'secret'"),
        (b"\xff\xfehidden", "a file that is not text in UTF-8: 'secret'"),
        (b"hidden\0", "a file that holds no secret: 'secret'"),
        (b"hidden" * 20_000, "a file that holds no secret: 'secret'"),
    ],
    ids=["missing", "empty", "blank", "binary", "NUL", "huge"],
)
def test_what_is_no_secret_stops_the_start_and_is_not_repeated(content, said, folder, monkeypatch):
    (folder / "secret").unlink()
    if content is not None:
        (folder / "secret").write_bytes(content)
    monkeypatch.setenv("AUTH_ENCRYPTION_SECRET_FILE", "secret")
    with pytest.raises(SettingsError) as refused:
        load(CoreSettings)
    assert refused.value.public == f"AUTH_ENCRYPTION_SECRET_FILE names {said}"
    assert "hidden" not in f"{refused.value!r}{refused.value.remedy}"
