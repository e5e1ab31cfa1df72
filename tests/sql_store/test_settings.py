"""DATABASE_URL: what is allowed, which driver it means, and that its password never shows."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from latchpin.errors import SettingsError
from latchpin.settings import load, mask, masked
from latchpin_sql_store import plugin
from latchpin_sql_store.engine import parse_url, show_url, sqlite_file
from latchpin_sql_store.settings import DatabaseUrl, SqlSettings
from latchpin_sql_store.url_parts import FILE_OPTIONS
from latchpin_testing import SuiteContext


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


AT, NO_URL, NO_FILE = (
    "percent-encode @ in the password",
    "percent-encode characters such as",
    "name a file after sqlite",
)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:first@hush@127.0.0.1:1/db", AT),
        ("mysql://u:first@hush@h/db", AT),
        ("mariadb://u:@hush@h/db", AT),
        ("postgresql://u:first@hush:1@h/db", AT),
        ("postgresql://u:first@hush/x@h/db", AT),
        ("postgresql://u:first@hush?x@h/db", AT),
        ("postgresql://u:first@hush?x=y@h/db", AT),
        ("postgresql://u:12@hush@h/db", AT),
        ("postgresql://u/x:hush@h/db", AT),
        ("postgresql://u/x:hu?sh@h/db", AT),
        ("postgresql://h/db?password=a&hush@b", AT),
        ("postgresql://u/x:y", NO_URL),
        ("postgresql://u:hush", NO_URL),
        ("postgresql://u:p@h:hush/db", NO_URL),
        ("postgresql://u:p@h:70000/db", NO_URL),
        ("postgresql://u:p@h x/db", NO_URL),
        ("postgresql://u:p@h\nx/db", NO_URL),
        ("postgresql://u:p@h#x/db", NO_URL),
        ("sqlite://u:hush@h/x.db", NO_FILE),
        ("sqlite://h/x.db", NO_FILE),
        ("sqlite://h", NO_FILE),
        ("sqlite:///mcp.db?mode=ro", FILE_OPTIONS),
        ("sqlite:///mcp.db?timeout=5&key=hush", FILE_OPTIONS),
    ],
)
def test_a_url_of_which_nobody_can_tell_where_its_password_ends_is_refused(monkeypatch, url, said):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL holds") as loaded:
        load(SqlSettings)
    with pytest.raises(SettingsError, match="DATABASE_URL") as parsed:
        parse_url(url)
    for error in (loaded.value, parsed.value):
        assert said in error.detail
        assert "hush" not in f"{error!r} {error.public} {error.remedy} {error.hint} {error.__cause__!r}"
    assert "hush" not in f"{DatabaseUrl(url)!r} {DatabaseUrl(url)} {mask(url)} {mask(DatabaseUrl(url))}"


@pytest.mark.parametrize(
    ("url", "login", "place", "shown"),
    [
        ("postgresql://u:first%40second@h:5/d", ("u", "first@second"), ("h", 5, "d"), "u:***@h:5/d"),
        ("postgresql://u:a/b@h/d", ("u", "a/b"), ("h", None, "d"), "u:***@h/d"),
        ("postgresql://u:a?b=c@h/d", ("u", "a?b=c"), ("h", None, "d"), "u:***@h/d"),
        ("postgresql://u:a:b#c+d@h/d", ("u", "a:b#c+d"), ("h", None, "d"), "u:***@h/d"),
        ("postgresql://u:100%@h/d", ("u", "100%"), ("h", None, "d"), "u:***@h/d"),
        ("postgresql://me@tenant:p@h/d", ("me@tenant", "p"), ("h", None, "d"), "me@tenant:***@h/d"),
        ("postgresql://u@h", ("u", None), ("h", None, None), "u@h"),
        ("postgresql://u:p@[::1]:5/d", ("u", "p"), ("::1", 5, "d"), "u:***@[::1]:5/d"),
        ("postgresql:///d?host=/run/postgresql", (None, None), (None, None, "d"), "/d"),
        ("postgresql://h/d?user=me@tenant", (None, None), ("h", None, "d"), "h/d"),
        ("  postgresql://u:p@h/d\n", ("u", "p"), ("h", None, "d"), "u:***@h/d"),
    ],
)
def test_what_is_clear_is_read_as_it_is_meant(url, login, place, shown):
    held = SqlSettings(database_url=url).database_url
    parsed = parse_url(held.get_secret_value())
    assert (parsed.username, parsed.password) == login
    assert (parsed.host, parsed.port, parsed.database) == place
    assert str(held) == f"postgresql://{shown}"
    assert show_url(parsed).startswith("postgresql+psycopg://")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/srv/mcp.db", "/srv/mcp.db"),
        ("/srv/mcp.db \n", "/srv/mcp.db"),
        ("/srv/my%20data/mcp.db", "/srv/my data/mcp.db"),
        ("/srv/my data/a@b:c#d.db", "/srv/my data/a@b:c#d.db"),
        ("/srv/100%25/what%3F.db", "/srv/100%/what?.db"),
        ("/srv/100%/mcp.db?", "/srv/100%/mcp.db"),
        ("./mcp.db", "mcp.db"),
    ],
)
def test_the_path_of_a_file_is_percent_decoded_once_and_blanks_around_it_do_not_count(path, file):
    held = SqlSettings(database_url=f"sqlite:///{path}").database_url
    parsed = parse_url(held.get_secret_value())
    assert sqlite_file(parsed) == Path(file).absolute()
    assert sqlite_file(parse_url(parsed.render_as_string(hide_password=False))) == Path(file).absolute()


OPTIONS = [
    # DATABASE_URL, what the driver is given, why
    ("postgresql://h/d?sslmode=require", {"sslmode": "require"}, "a text, not a tuple of one"),
    ("postgresql://h/d?host=/run/postgresql", {"host": "/run/postgresql"}, "a socket's folder"),
    ("postgresql:///d?host=a&host=b&host=c&sslmode=prefer", {"host": "a,b,c", "sslmode": "prefer"}, "several servers"),
    (
        "postgresql://a,b/d?sslmode=require",
        {"host": "a,b", "port": "5432,5432", "target_session_attrs": "read-write"},
        "several servers, of which one can be written",
    ),
    (
        "postgresql://a:1,[::1]:2,c/d?target_session_attrs=primary",
        {"host": "a,::1,c", "port": "1,2,5432", "target_session_attrs": "primary"},
        "each with its port, and what was asked for",
    ),
    ("mysql://h/d?ssl_ca=/ca.pem&ssl_verify_cert=true", {"ssl": {"ca": "/ca.pem"}}, "SQLAlchemy's mapping"),
]


@pytest.mark.parametrize(("url", "given", "why"), OPTIONS)
def test_options_reach_the_driver_as_they_are_written(url, given, why):
    parsed = parse_url(url)
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    assert {name: arguments[name] for name in given} == given, why


def test_several_hosts_are_shown_and_are_for_postgresql_alone():
    assert show_url(parse_url("postgresql://me:hush@a:1,b:2/lp")) == "postgresql+psycopg://me:***@a,b/lp"
    for url in ("mysql://a,b/d", "postgresql://a,/d", "postgresql://,b/d", "postgresql://a:1,b:70000/d"):
        with pytest.raises(SettingsError, match="DATABASE_URL"):
            parse_url(url)


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
