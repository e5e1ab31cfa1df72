"""DATABASE_URL: what is allowed, which driver it means, and that its password never shows."""

import importlib.util
import subprocess
import sys

import pytest
from latchpin.errors import SettingsError
from latchpin.settings import load, masked
from latchpin.testing import SuiteContext
from latchpin_sql_store import plugin
from latchpin_sql_store.engine import parse_url
from latchpin_sql_store.settings import SqlSettings


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
        ("mysql://u:p@h/d", "mysql+pymysql"),
        ("mariadb://u:p@h/d", "mysql+pymysql"),
        ("sqlite:///x.db", "sqlite+pysqlite"),
    ],
)
def test_the_driver_is_chosen_for_the_deployer(url, driver):
    SqlSettings(database_url=url)
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    "url", ["oracle://u:hush@h/d", "postgresql+asyncpg://u:hush@h/d", "hush", "sqlite://", "sqlite:///:memory:"]
)
def test_other_urls_are_refused_without_showing_them(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        load(SqlSettings)
    assert "hush" not in f"{caught.value!r} {caught.value.public} {caught.value.__cause__!r}"


def test_a_password_that_breaks_the_url_is_not_shown():
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        parse_url("postgresql://u:hush@h:hush/d")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_password_never_shows():
    settings = SqlSettings(database_url="postgresql://me:hush@db.example.com/lp?password=hush")
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {masked(settings)}"
    assert "hush" not in shown
    assert "postgresql://me:***@db.example.com/lp" in shown


@pytest.mark.parametrize(
    ("url", "module", "extra"), [("postgresql://h/d", "psycopg", "postgres"), ("mysql://h/d", "pymysql", "mysql")]
)
def test_a_missing_driver_names_what_to_install(monkeypatch, url, module, extra):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else real(name))
    with pytest.raises(SettingsError, match=module) as caught:
        parse_url(url)
    assert f"latchpin-sql-store[{extra}]" in caught.value.remedy


async def test_a_missing_folder_is_named(tmp_path):
    settings = SqlSettings(database_url=f"sqlite:///{tmp_path}/nowhere/mcp.db")
    with pytest.raises(SettingsError, match="nowhere"):
        async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context):
            pass


def test_loading_the_plugin_loads_no_database_library():
    code = (
        "import sys; from latchpin_sql_store import plugin, settings; plugin.latchpin_state_store(); "
        "plugin.latchpin_record_store(); settings.SqlSettings(); "
        "sys.exit(bool({'sqlalchemy', 'alembic', 'psycopg', 'pymysql', 'typer'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
