"""Migrations on MariaDB, as for the other databases: from nothing, by several at once, and what is refused."""

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from latchpin.errors import SchemaOutdated
from latchpin_sql_store import schema
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.migrate import upgrade_database
from latchpin_sql_store.tables import metadata

from tests.servers import run_latchpin
from tests.sql_store.test_schema import OPEN, UPGRADE, open_states, results, start


def test_migrations_make_the_tables_that_the_code_knows(mariadb_url):
    assert upgrade_database(mariadb_url) == (None, schema.HEAD)
    assert upgrade_database(mariadb_url) == (schema.HEAD, schema.HEAD)
    engine = build_engine(parse_url(mariadb_url), "migrate")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": False})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_the_command_upgrades_and_says_so(mariadb_url, mariadb_backend, tmp_path):
    done = run_latchpin("db", "upgrade", env=mariadb_backend.environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert schema.HEAD in done.stdout
    assert parse_url(mariadb_url).password not in done.stdout + done.stderr


def test_four_machines_upgrade_it_at_once(mariadb_url, tmp_path):
    said = results([start(UPGRADE, mariadb_url, tmp_path) for _ in range(4)])
    password = parse_url(mariadb_url).password
    assert all(schema.HEAD in text and password not in text for text in said), said
    assert results([start(OPEN, mariadb_url, tmp_path)]) == ["False"]


async def test_an_empty_one_is_refused_with_the_command(mariadb_url):
    with pytest.raises(SchemaOutdated, match="no schema yet") as caught:
        await open_states(mariadb_url)
    assert "latchpin db upgrade" in caught.value.remedy
    upgrade_database(mariadb_url)
    await open_states(mariadb_url)


async def test_a_newer_one_is_refused(mariadb_url):
    upgrade_database(mariadb_url)
    engine = build_engine(parse_url(mariadb_url), "write")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaOutdated, match="newer"):
        await open_states(mariadb_url)
