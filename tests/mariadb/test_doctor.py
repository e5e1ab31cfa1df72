"""What doctor says of a MariaDB."""

from __future__ import annotations

import pytest
import sqlalchemy
from latchpin.contracts import Severity
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.migrate import upgrade_database

from tests.doctor.conftest import not_well, of_check, one


@pytest.fixture
def settings(environment, mariadb_backend) -> pytest.MonkeyPatch:
    for name, value in mariadb_backend.environment.items():
        environment.setenv(name, value)
    return environment


@pytest.fixture
def sql(mariadb_url: str):
    """Runs a statement by hand, as a deployer might."""

    def run(statement: str) -> None:
        engine = build_engine(parse_url(mariadb_url), "read")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))
        engine.dispose()

    return run


async def test_a_healthy_one_is_named_with_its_version_and_encoding(settings, mariadb_url, diagnose):
    upgrade_database(mariadb_url)
    report = await diagnose()
    assert not_well(report) == []
    titles = [finding.title for finding in of_check(report, "database")]
    assert titles[0].startswith("MariaDB 1")
    assert titles[0].endswith("answers, encoding utf8mb4")
    assert titles[1] == "This machine's clock and that of MariaDB agree"
    assert "No expired or used state is left over" in titles


async def test_an_empty_one_wants_the_upgrade_and_gets_it(settings, diagnose):
    finding = one(await diagnose(), "The schema is not up to date")
    assert (finding.severity, finding.command) == (Severity.FAILURE, "latchpin db upgrade")
    assert finding.fix is not None
    await finding.fix.apply()
    assert not_well(await diagnose()) == []


async def test_another_encoding(settings, mariadb_url, sql, diagnose):
    sql("ALTER DATABASE " + mariadb_url.rpartition("/")[2] + " CHARACTER SET latin1")
    upgrade_database(mariadb_url)
    finding = one(await diagnose(), "its database has the encoding latin1")
    assert finding.severity is Severity.WARNING
    assert finding.command == "CREATE DATABASE latchpin CHARACTER SET utf8mb4"


async def test_one_that_takes_no_writes(settings, mariadb_url, sql, diagnose):
    upgrade_database(mariadb_url)
    sql("SET GLOBAL read_only = 1")
    try:
        report = await diagnose()
    finally:
        sql("SET GLOBAL read_only = 0")
    assert one(report, "MariaDB takes no writes").severity is Severity.FAILURE


async def test_one_that_is_not_there(settings, mariadb_url, diagnose):
    settings.setenv("DATABASE_URL", mariadb_url.replace("/latchpin_", "/no_such_"))
    finding = one(await diagnose(), "The database cannot be asked")
    assert finding.severity is Severity.FAILURE
    assert finding.command.startswith("mysql -h 127.0.0.1 -P ")
    assert parse_url(mariadb_url).password not in finding.command + finding.detail
