"""Migrations: by whom, how often at once, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from latchpin.errors import SchemaOutdated
from latchpin_sql_store import plugin, schema
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.migrate import alembic_config, upgrade_database
from latchpin_sql_store.settings import SqlSettings
from latchpin_sql_store.tables import metadata
from latchpin_testing import SuiteContext

OPEN = """
import asyncio, sys
from latchpin_testing import SuiteContext
from latchpin_sql_store import plugin
from latchpin_sql_store.settings import SqlSettings

async def main():
    settings = SqlSettings()
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context) as states:
        async with plugin.latchpin_record_store().open(settings, context) as records:
            await states.check()
            await records.check()
    print("alembic" in sys.modules)

asyncio.run(main())
"""
UPGRADE = "from latchpin_sql_store import command; command.upgrade()"


def start(code, url, cwd):
    environment = os.environ | {"DATABASE_URL": url}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(processes):
    ended = [(*process.communicate(timeout=180), process.returncode) for process in processes]
    assert [status for _, _, status in ended] == [0] * len(processes), ended
    return [out.strip() for out, _, _ in ended]


async def open_states(url):
    settings = SqlSettings(database_url=url)
    async with SuiteContext() as context, plugin.latchpin_state_store().open(settings, context) as states:
        await states.check()


# Migrations: by whom, how often at once, and what is refused.


ROOT = Path(__file__).parents[2]


def test_the_constant_is_alembics_head():
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [schema.HEAD]


@pytest.mark.parametrize("fixture", ["sqlite_url", "database_url"])
def test_migrations_make_the_tables_that_the_code_knows(request, fixture):
    url = request.getfixturevalue(fixture)
    assert upgrade_database(url) == (None, schema.HEAD)
    assert upgrade_database(url) == (schema.HEAD, schema.HEAD)
    engine = build_engine(parse_url(url), "migrate")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": False})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_four_processes_start_on_an_empty_folder(tmp_path):
    url = "sqlite:///./mcp.db"
    results([start(OPEN, url, tmp_path) for _ in range(4)])
    assert results([start(OPEN, url, tmp_path)]) == ["False"], "a current schema is accepted without Alembic"


def test_four_machines_upgrade_one_postgres_at_once(database_url, tmp_path):
    said = results([start(UPGRADE, database_url, tmp_path) for _ in range(4)])
    password = psycopg.conninfo.conninfo_to_dict(database_url)["password"]
    assert all(schema.HEAD in text and password not in text for text in said), said
    assert results([start(OPEN, database_url, tmp_path)]) == ["False"]


def test_alembic_itself_from_the_repository_root(tmp_path):
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/by-hand.db"}
    for arguments in (["upgrade", "head"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


async def test_an_empty_postgres_is_refused_with_the_command(database_url):
    with pytest.raises(SchemaOutdated, match="no schema yet") as caught:
        await open_states(database_url)
    assert "latchpin db upgrade" in caught.value.remedy
    upgrade_database(database_url)
    await open_states(database_url)


@pytest.mark.parametrize(
    ("revision", "words"), [("0000", "this version works with"), ("9999", "newer"), ("3f2a9c", "not Latchpin's")]
)
async def test_another_schema_is_refused_in_its_own_words(database_url, revision, words):
    upgrade_database(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
    with pytest.raises(SchemaOutdated, match=words) as caught:
        await open_states(database_url)
    assert ("latchpin db upgrade" in caught.value.remedy) == (revision == "0000")
    if revision != "0000":
        with pytest.raises(SchemaOutdated, match=words):
            upgrade_database(database_url)


async def test_a_sqlite_file_of_another_program_is_left_alone(sqlite_url):
    engine = build_engine(parse_url(sqlite_url), "write")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE oauth_states (mine TEXT)")
    engine.dispose()
    with pytest.raises(SchemaOutdated, match="already exists"):
        await open_states(sqlite_url)
