"""Fixtures that several folders of tests share; ``tests/conftest.py`` makes them known.

Imports stand inside the fixtures: a run that asks for none of these needs none of what they import.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx
    from latchpin_demo.browser import Browser
    from latchpin_doctor.report import Report

    from tests.providers import FaultSwitch, PlainClient
    from tests.providers.servers import DemoProvider
    from tests.proxy.conftest import ScriptedServer
    from tests.servers import GatewayBackend, PostgresServer
    from tests.servers.databases import MariadbServer
    from tests.support.gateway_in_process import Connected, InnerGateway
    from tests.support.gateway_process import DeployedGateway

# -- the gateway in the test's process, and a provider that can be told to misbehave ---------------------


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What every gateway in this process has set; a test may change it before it asks for ``gateway``."""
    from tests.support.gateway_in_process import ADMIN, SECRET, USER_HEADER

    for name, value in {
        "CACHE_TYPE": "memory",
        "RECORD_STORE": "memory",
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "ADMIN_EMAILS": ADMIN,
        "TRUSTED_USER_HEADER": USER_HEADER,
        "TRUSTED_PROXIES": "127.0.0.1",
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        "OAUTH_REQUEST_TIMEOUT": "60",
        "OAUTH_MAX_RETRIES": "0",
        "OAUTH_CALLBACK_WAIT_SECONDS": "0",
        "LOG_LEVEL": "DEBUG",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
async def gateway(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    from latchpin.activity.logs import tear_down_logging

    from tests.support.gateway_in_process import open_gateway

    if metrics := sys.modules.get("latchpin_metrics.meters"):
        metrics.meters.cache_clear()  # counts of its own
    async with open_gateway() as opened:
        yield opened
    tear_down_logging()


@pytest.fixture
def log(tmp_path: Path, environment: pytest.MonkeyPatch) -> Callable[[], str]:
    """Reads what the gateway logged so far."""
    return (tmp_path / "logs" / "mcpgateway.log").read_text


@pytest.fixture(params=["hot routes", "framework alone"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test twice: with hot routes served ahead of the framework, and with everything served by it."""
    if request.param == "framework alone":
        from latchpin.web.dispatch import Dispatcher

        monkeypatch.setattr(Dispatcher, "find", lambda _, __: None)


@pytest.fixture
def provider() -> Iterator[FaultSwitch]:
    from tests.providers import start_fault_switch

    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
def fault_switch(provider: FaultSwitch) -> FaultSwitch:
    return provider


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """An MCP server that answers what a test tells it to."""
    from tests.proxy.conftest import start_scripted

    with start_scripted() as server:
        yield server


@pytest.fixture
async def connected(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    """Alice is connected to one gateway."""
    from tests.support.gateway_in_process import connect

    return await connect(gateway, provider)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file whose schema is made, to be copied: migrating takes longer than most tests."""
    from latchpin_sql_store.migrate import upgrade_database

    file = tmp_path_factory.mktemp("migrated") / "latchpin.db"
    upgrade_database(f"sqlite:///{file}")
    return file


@pytest.fixture
def on_backend(
    backend: GatewayBackend, environment: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> GatewayBackend:
    """Gateways of this test keep everything on ``backend``, whose schema is made."""
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    if backend.name == "sqlite":
        file = backend.environment["DATABASE_URL"].removeprefix("sqlite:///")
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
    elif backend.name == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        server.copy_database(request.getfixturevalue("postgres_template"), backend.environment["DATABASE_URL"])
    return backend


@pytest.fixture
async def pair(on_backend: GatewayBackend) -> AsyncIterator[tuple[InnerGateway, InnerGateway]]:
    """Two processes' gateways over one store, behind one address."""
    from latchpin.activity.logs import tear_down_logging

    from tests.support.gateway_in_process import open_gateway

    async with open_gateway() as one, open_gateway() as two:
        yield one, two
    tear_down_logging()


@pytest.fixture
def diagnose() -> Callable[..., Awaitable[Report]]:
    """Runs doctor beside the gateway, as another process would, with the settings as they are now."""
    from latchpin.plugins.host import Plugins
    from latchpin_doctor.examination import open_examination
    from latchpin_doctor.running import examine

    async def run(**options: Any) -> Report:
        async with open_examination(Plugins(), **options) as examination:
            return await examine(examination)

    return run


# -- a gateway as its deployer runs it -------------------------------------------------------------------


@pytest.fixture
def deployed(backend: GatewayBackend, tmp_path: Path) -> Iterator[DeployedGateway]:
    """One gateway for each test, on the backend that the run names."""
    from tests.support.gateway_process import deploy_gateway

    with deploy_gateway(backend, tmp_path) as started:
        yield started


# -- clients ------------------------------------------------------------------------------------------------


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    from latchpin_demo.browser import Browser

    async with Browser() as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client


# -- servers that few tests want -------------------------------------------------------------------------------


@pytest.fixture
def demo() -> Iterator[DemoProvider]:
    """The demo's servers, healthy."""
    from tests.providers import start_demo_provider

    with start_demo_provider() as provider:
        yield provider


@pytest.fixture
async def caller(demo: DemoProvider, http: httpx.AsyncClient) -> PlainClient:
    """An OAuth client that knows the demo's servers and is registered."""
    from tests.providers import PlainClient

    plain = PlainClient(http, demo.mcp_url)
    await plain.discover()
    (await plain.register()).raise_for_status()
    return plain


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database of the server's whose schema is made, to be copied: nobody may be connected to it."""
    from latchpin_sql_store.migrate import upgrade_database

    url = postgres.create_database()
    upgrade_database(url)
    return url


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> str:
    """A database of the server's whose schema is made, for tests that begin by emptying it."""
    from latchpin_sql_store.migrate import upgrade_database

    url = postgres.create_database()
    upgrade_database(url)
    return url


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A MariaDB of this process's own."""
    from tests.servers.databases import MariadbServer

    server = MariadbServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def mariadb_url(mariadb: MariadbServer) -> str:
    """Of an empty database there, as DATABASE_URL takes it."""
    return mariadb.create_database()


@pytest.fixture
def mariadb_backend(mariadb_url: str) -> GatewayBackend:
    """What makes a gateway run on that database."""
    from tests.servers import GatewayBackend

    settings = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": mariadb_url}
    return GatewayBackend("mariadb", settings, shared=True, label="database")


# -- certificates -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a single root, which signed nothing that a test meets."""
    from tests.support.http_servers import write_certificate

    return str(write_certificate(tmp_path_factory.mktemp("roots"), "nobody.example")[0])
