"""What is wrong with a database is told to who runs the gateway with an action that helps, and to nobody else."""

import sqlite3
from contextlib import closing

import pytest
from latchpin.errors import BackendUnavailable, SettingsError
from latchpin_sql_store import plugin
from latchpin_sql_store.faults import unavailable
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.remedies import remedy_for
from latchpin_sql_store.settings import SqlSettings
from latchpin_testing import SuiteContext

POSTGRES, MARIADB, FILE = "postgresql+psycopg://me:***@db:6432/lp", "mysql+pymysql://me:***@db/lp", "sqlite:////d/m.db"

REMEDIES = [
    # where, the driver's code and words, what the remedy names, why
    (POSTGRES, "", "connection refused", ["db:6432", "DATABASE_URL"], "nobody listens: a wrong port, or it is down"),
    (MARIADB, "2003", "Can't connect", ["db:3306", "DATABASE_URL"], "the customary port is named too"),
    (POSTGRES, "", 'password authentication failed for user "me"', ["user and password", "db:6432"], "no SQLSTATE"),
    (MARIADB, "1045", "Access denied", ["user and password", "DATABASE_URL"], "a wrong password"),
    (POSTGRES, "", 'database "lp" does not exist', ["Create the database", "db:6432"], "never made"),
    (MARIADB, "1049", "Unknown database", ["Create the database", "db:3306"], "never made"),
    (POSTGRES, "", 'invalid connection option "ssl"', ["after the ?", "DATABASE_URL"], "another driver's option"),
    (POSTGRES, "", "connection is bad: invalid sslmode value", ["after the ?", "sslmode="], "a value it has not"),
    (POSTGRES, "53100", "could not extend file", ["disk", "db:6432"], "a full disk over there"),
    (POSTGRES, "53300", "too many clients", ["connections", "WORKERS"], "more workers than it takes"),
    (POSTGRES, "42701", "ProgrammingError 42701", ["backup", "DATABASE_URL"], "half of a schema was put back"),
    (MARIADB, "1146", "ProgrammingError 1146", ["backup", "DATABASE_URL"], "a table was dropped"),
    (FILE, "SQLITE_FULL", "database or disk is full", ["disk of /d/m.db", "df -h /d"], "a full disk here"),
    (FILE, "SQLITE_IOERR_WRITE", "disk I/O error", ["disk of /d/m.db"], "full, or failing"),
    (FILE, "SQLITE_CANTOPEN", "unable to open database file", ["/d/m.db", "ls -la /d"], "a folder it may not write"),
    (FILE, "SQLITE_READONLY_DIRECTORY", "readonly database", ["/d/m.db", "ls -la /d"], "SQLite writes beside the file"),
    (FILE, "SQLITE_NOTADB", "file is not a database", ["backup", "/d/m.db"], "something else is in the file"),
    (FILE, "SQLITE_IOERR_SHORT_READ", "disk I/O error", ["backup", "/d/m.db-wal"], "another file beside the old log"),
    (FILE, "SQLITE_READONLY_DBMOVED", "readonly database", ["backup", "/d/m.db"], "replaced while it was open"),
    (FILE, "SQLITE_BUSY", "database is locked", ["locked", "fuser /d/m.db"], "somebody else holds it"),
]


@pytest.mark.parametrize(("where", "code", "words", "named", "why"), REMEDIES)
def test_the_remedy_names_what_is_to_be_changed(where, code, words, named, why):
    remedy = remedy_for(code, words, where)
    assert [part for part in named if part not in remedy] == [], why
    assert "***" not in remedy


OPTIONS = [
    # an option of DATABASE_URL, what is said, why
    ("postgresql://me@127.0.0.1:1/lp?sslmode=none", "invalid sslmode value", "libpq has no such mode"),
    ("postgresql://me@127.0.0.1:1/lp?ssl=true", 'invalid connection option "ssl"', "what asyncpg reads"),
    ("mysql://me@127.0.0.1:1/lp?ssl=true", "PyMySQL does not know: ssl", "what other drivers read"),
    ("mysql://me@127.0.0.1:1/lp?sslmode=require", "PyMySQL does not know: sslmode", "what libpq reads"),
]


@pytest.mark.parametrize(("url", "said", "why"), OPTIONS)
def test_a_wrong_option_is_named_and_no_server_is_blamed(url, said, why):
    with pytest.raises((BackendUnavailable, SettingsError)) as caught:
        upgrade_database(url)
    assert said in str(caught.value), why
    remedy = getattr(caught.value, "operator_remedy", None) or caught.value.remedy
    assert "after the ? in DATABASE_URL" in remedy, why


def settings_for(file):
    return SqlSettings(database_url=f"sqlite:///{file}")


async def open_it(settings):
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context):
        pass


def test_a_full_disk_is_called_so_while_the_schema_is_made(tmp_path, monkeypatch):
    real = sqlite3.connect

    def small(*arguments, **options):
        connection = real(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 4")  # what a full disk is to SQLite
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", small)
    with pytest.raises(BackendUnavailable, match="full") as caught:
        upgrade_database(f"sqlite:///{tmp_path}/mcp.db")
    assert f"disk of {tmp_path}/mcp.db" in caught.value.for_operator()


async def test_a_file_that_cannot_be_made_is_named_with_its_cause(tmp_path):
    (tmp_path / "mcp.db.lock").mkdir()  # refused to everybody, root too
    with pytest.raises(BackendUnavailable, match="unable to open database file") as caught:
        await open_it(settings_for(tmp_path / "mcp.db"))
    assert f"ls -la {tmp_path}" in caught.value.for_operator()


async def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "mcp.db").write_text("this is no database, whatever it is, and long enough to be read as one" * 20)
    with pytest.raises(BackendUnavailable) as caught:
        await open_it(settings_for(tmp_path / "mcp.db"))
    assert "Put a backup" in caught.value.for_operator()


async def test_a_port_where_nobody_listens_is_named_and_no_answer_shows_it():
    with pytest.raises(BackendUnavailable) as caught:
        await open_it(SqlSettings(database_url="postgresql://me:hush@127.0.0.1:1/lp"))
    assert "127.0.0.1:1" in caught.value.for_operator()
    assert "127.0.0.1" not in caught.value.remedy
    assert "hush" not in caught.value.for_operator() + str(caught.value)


def test_a_raw_error_of_the_driver_is_told_like_a_wrapped_one(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, pytest.raises(sqlite3.Error) as caught:
        connection.execute("SELECT * FROM absent")
    assert "no such table: absent" in str(unavailable(caught.value, FILE))
