"""A backup of MariaDB made as docs/back-up.md says is restored: who was connected goes on."""

from __future__ import annotations

from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from latchpin_sql_store.engine import parse_url

from tests.backup.test_restoring import blocks, make_places, prove_restoring, shell
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend
from tests.servers.databases import MariadbServer


def write_options(folder: Path, database_url: str) -> None:
    """Write ``~/.my.cnf`` as the page has it, with what the URL says."""
    url, options = parse_url(database_url), ConfigParser()
    options.read_string(blocks("MariaDB", "ini")[0])
    ours = {"host": url.host, "port": str(url.port), "user": url.username, "password": url.password}
    assert ours.keys() == options["client"].keys()
    options["client"].update({name: value for name, value in ours.items() if value})
    with (folder / ".my.cnf").open("w") as file:
        options.write(file)


@contextmanager
def restored(backend: GatewayBackend, here: Path) -> Iterator[GatewayBackend]:
    shell(blocks("MariaDB")[1], here, here, {})
    yield backend


async def test_who_was_connected_goes_on_and_nothing_counts_twice(
    mariadb: MariadbServer, mariadb_backend: GatewayBackend, fault_switch: FaultSwitch, tmp_path: Path
):
    here, there = make_places(tmp_path)
    url = mariadb.create_database("latchpin")  # as the page calls it
    write_options(here, url)
    backend = replace(mariadb_backend, environment={**mariadb_backend.environment, "DATABASE_URL": url})
    await prove_restoring(backend, (here, there), here, fault_switch, restored(backend, here))
