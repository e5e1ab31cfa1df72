"""What doctor asks a database: schema, place, encoding, and whether it takes writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from latchpin.contracts import Severity
from latchpin_sql_store.file_checks import filesystem_of

from tests.doctor.conftest import not_well, of_check, one
from tests.servers import GatewayBackend, PostgresServer

DATABASE = pytest.mark.backends("sqlite", "postgres")


def execute(backend: GatewayBackend, statement: str, postgres: PostgresServer | None) -> None:
    url = backend.environment["DATABASE_URL"]
    if postgres is not None:
        postgres.execute(statement, url=url)
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.fixture
def sql(backend: GatewayBackend, request):
    """Runs a statement by hand, as a deployer might."""
    server = request.getfixturevalue("postgres") if backend.name == "postgres" else None
    return lambda statement: execute(backend, statement, server)


@DATABASE
@pytest.mark.parametrize(("revision", "what"), [("9999", "made by a newer version"), ("abcdef", "not Latchpin's")])
async def test_a_schema_that_is_not_ours_to_change(settings, diagnose, sql, revision: str, what: str):
    sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    report = await diagnose()
    finding = one(report, "The schema is not one that this version works with")
    assert (finding.severity, finding.cause) == (Severity.FAILURE, "schema-outdated")
    assert what in finding.detail
    assert report.fixes == (), "there is nothing that doctor may do about it"


@pytest.mark.backends("postgres")
async def test_postgres_is_named_with_its_version_and_encoding(settings, diagnose):
    findings = [each for each in of_check(await diagnose(), "database") if each.severity is Severity.OK]
    assert findings[0].title.startswith("PostgreSQL 18")
    assert findings[0].title.endswith("answers, encoding UTF8")
    assert findings[1].title == "This machine's clock and that of PostgreSQL agree"


@pytest.mark.backends("postgres")
async def test_a_postgres_that_takes_no_writes(settings, diagnose, sql, backend: GatewayBackend):
    name = backend.environment["DATABASE_URL"].rpartition("/")[2]
    sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    report = await diagnose()
    assert one(report, "PostgreSQL takes no writes").severity is Severity.FAILURE
    assert "failure" in {finding.severity for finding in of_check(report, "stores")}


async def test_a_postgres_with_another_encoding(environment, postgres: PostgresServer, diagnose):
    from latchpin_sql_store.migrate import upgrade_database

    postgres.execute("CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        url = postgres.url("narrow")
        upgrade_database(url)
        for name, value in {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": url}.items():
            environment.setenv(name, value)
        finding = one(await diagnose(), "its database has the encoding SQL_ASCII")
    finally:
        postgres.drop_database(url)
    assert finding.severity is Severity.WARNING
    assert finding.command.startswith("CREATE DATABASE latchpin ENCODING 'UTF8'")


@pytest.mark.backends("sqlite")
async def test_an_sqlite_file_without_a_write_ahead_log(settings, diagnose, sql):
    sql("PRAGMA journal_mode = DELETE")
    finding = one(await diagnose(), "has no write-ahead log")
    assert finding.severity is Severity.WARNING
    assert finding.command.endswith("'PRAGMA journal_mode = WAL'")


@pytest.mark.backends("sqlite")
async def test_an_sqlite_file_in_a_folder_that_is_not_there(settings, diagnose, tmp_path: Path):
    settings.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/mcp.db")
    finding = one(await diagnose(), "nowhere does not exist")
    assert (finding.severity, finding.command) == (Severity.FAILURE, f"mkdir -p {tmp_path}/nowhere")


@pytest.mark.backends("sqlite")
async def test_an_sqlite_file_that_we_may_not_write(settings, diagnose, tmp_path: Path):
    file, access = tmp_path / "latchpin.db", os.access
    settings.setattr(os, "access", lambda path, mode: path != file and access(path, mode))  # root may write anything
    finding = one(await diagnose(), "latchpin.db cannot be written")
    assert (finding.severity, finding.command) == (Severity.FAILURE, f"ls -ld {file}")


@pytest.mark.backends("sqlite")
async def test_an_sqlite_file_on_a_network_file_system(settings, diagnose, tmp_path: Path):
    from latchpin_sql_store import file_checks

    settings.setattr(file_checks, "filesystem_of", lambda path: "nfs4")
    finding = one(await diagnose(), "The SQLite file is on a network file system (nfs4)")
    assert finding.severity is Severity.FAILURE
    assert "local disk" in finding.remedy


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/srv /srv/share nfs4 rw 0 0\nserver:/d /srv/my\\040share cifs rw 0 0\nshort\n"
    )
    for path, kind in {
        "/srv/share/mcp": "nfs4",
        "/srv/shared": "ext4",
        "/srv/my share/x": "cifs",
        "/home": "ext4",
    }.items():
        assert filesystem_of(Path(path), mounts=mounts) == kind
    assert filesystem_of(Path("/home"), mounts=tmp_path / "none") == ""


@DATABASE
@pytest.mark.needs("latchpin_memory_store")
async def test_a_database_that_is_not_selected_is_not_asked(settings, diagnose):
    settings.setenv("CACHE_TYPE", "memory")
    settings.setenv("RECORD_STORE", "memory")
    report = await diagnose()
    assert of_check(report, "database") == []
    assert [finding.title for finding in not_well(report)] == ["CACHE_TYPE=memory keeps states in one process"]


@pytest.mark.backends("sqlite")
async def test_it_does_not_look_at_another_database_than_the_one_that_was_meant(settings, diagnose, tmp_path: Path):
    """It reads what does not hold as its default, and would offer to make that file."""
    (tmp_path / "latchpin.db").unlink()
    settings.setenv("DATABASE_URL", "postgresql://u:first@second@h/db")
    assert of_check(await diagnose(), "database") == []
    assert not (tmp_path / "latchpin.db").exists()
