"""What brings a cause about: the gateway it happens in, and one line of the table."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.errors import LatchpinError
from latchpin.errors.causes import CAUSES, Cause
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import BACKENDS, GatewayBackend
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, SECRET, USER_HEADER, InnerGateway, open_gateway

# Gateways over one store, a provider that can be told to misbehave, and what a failure was called.


_CAUSE = re.compile(r"cause=([a-z0-9-]+)")
_DEADLINE_SECONDS = 60.0

SETTINGS = {
    "AUTH_ENCRYPTION_SECRET": SECRET,
    "ADMIN_EMAILS": ADMIN,
    "TRUSTED_USER_HEADER": USER_HEADER,
    "TRUSTED_PROXIES": "127.0.0.1",
    "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
    "OAUTH_REQUEST_TIMEOUT": "60",
    "OAUTH_MAX_RETRIES": "0",
    "OAUTH_CALLBACK_WAIT_SECONDS": "0",
    "LOG_LEVEL": "DEBUG",
    "BASE_URL": BASE,
}
"""What every gateway here has set, beside its store."""


@dataclass
class Begun:
    """An authorization that the provider has answered, and that has not come back yet."""

    gateway: InnerGateway
    browser: Browser
    id: str
    url: str

    async def finish(
        self, *, at: InnerGateway | None = None, url: str | None = None, user: str | None = ALICE
    ) -> httpx.Response:
        """Bring the callback, as a program in the same browser would."""
        async with (at or self.gateway).client(user, Accept="application/json") as client:
            client.cookies = self.browser.cookies
            return await client.get(url or self.url)


@dataclass
class Deployment:
    """One store, and the gateways that a situation opens over it."""

    backend: GatewayBackend
    provider: FaultSwitch
    folder: Path
    patch: pytest.MonkeyPatch
    servers: dict[str, Any]
    migrated: set[str] = field(default_factory=set)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def gateway(self, **settings: str) -> InnerGateway:
        """Open one more instance, until the situation is over."""
        environment = self._set(settings)
        if self.backend.name == "postgres" and (url := environment["DATABASE_URL"]) not in self.migrated:
            from latchpin_sql_store.migrate import upgrade_database  # not every cell has it

            await asyncio.to_thread(upgrade_database, url)
            self.migrated.add(url)
        return await self.stack.enter_async_context(open_gateway())

    def _set(self, settings: dict[str, str]) -> dict[str, str]:
        environment = SETTINGS | dict(self.backend.environment) | settings
        for name, value in environment.items():
            self.patch.setenv(name, value)
        return environment

    async def stopped(self, **settings: str) -> LatchpinError:
        """Open an instance that must not start; why it does not."""
        self._set(settings)
        with pytest.raises(LatchpinError) as caught:
            async with open_gateway():
                pass
        return caught.value

    @contextlib.asynccontextmanager
    async def begun(self, gateway: InnerGateway, **body: Any) -> AsyncIterator[Begun]:
        """Begin an authorization of alice's."""
        gateway_id = await gateway.add(self.provider.provider.mcp_url, **body)
        async with gateway.browser() as browser:
            yield Begun(gateway, browser, gateway_id, await gateway.returned(browser, gateway_id))

    async def authorize(self, gateway: InnerGateway, gateway_id: str) -> httpx.Response:
        """Try to begin, as a program."""
        async with gateway.client(ALICE, Accept="application/json") as client:
            return await client.get(f"{BASE}/oauth/authorize/{gateway_id}")

    async def fetch_tools(self, gateway: InnerGateway, gateway_id: str) -> httpx.Response:
        """Fetch alice's tools with a bearer token."""
        return await self.call(gateway, "POST", f"/oauth/fetch-tools/{gateway_id}")

    async def call(self, gateway: InnerGateway, method: str, path: str, *, user: str = ALICE, **body: Any) -> Any:
        """Call the API with a bearer token."""
        admin = user == ADMIN
        token = await gateway.application.signed_tokens.create_bearer(user, admin, timedelta(days=1))
        async with gateway.client(None, Authorization=f"Bearer {token}", Accept="application/json") as client:
            return await client.request(method, BASE + path, **body)

    def causes_logged(self) -> list[str]:
        """Each cause that any gateway in this folder has logged so far."""
        path = self.folder / "logs" / "mcpgateway.log"
        return _CAUSE.findall(path.read_text()) if path.is_file() else []


def rebuilt(url: str, change: Callable[[dict[str, str]], dict[str, str]]) -> str:
    """The callback with other parameters."""
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return urlsplit(url)._replace(query=urlencode(change(query))).geturl()


async def until(fact: Callable[[], bool]) -> None:
    """Wait until ``fact`` holds."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


# One line of the table: a cause, a situation that brings it about, and where that cannot be.


Situation = Callable[[Deployment], Awaitable[httpx.Response | LatchpinError]]
"""Gives the answer, or what stopped the start."""


@dataclass(frozen=True)
class Row:
    """Attributes:
    slug: the cause that must be named.
    situation: what is done, in a few words.
    bring: does it, and gives the answer.
    neighbour: a cause that is near it, and must not be named.
    fact: what the detail of the answer must say; ``""`` where the answer may tell no facts.
    impossible: by store, why it cannot be there.
    only: the one store where ``make test`` brings it about, where another server or the caller causes it; else ``""``.
    """

    slug: str
    situation: str
    bring: Situation
    neighbour: str
    fact: str = ""
    impossible: Mapping[str, str] = field(default_factory=dict)
    only: str = ""

    @property
    def cause(self) -> Cause:
        return CAUSES[self.slug]

    @property
    def answered(self) -> str:
        """What the answer names: before signature and browser are proven, the wider cause."""
        return self.cause.general if self.slug == "state-secret-changed" else self.slug

    @property
    def name(self) -> str:
        return f"{self.slug}: {self.situation}"


def impossible(reason: str, *stores: str) -> dict[str, str]:
    """The same reason for several stores."""
    return dict.fromkeys(stores, reason)


def spread(*rows: Row) -> tuple[Row, ...]:
    """Rows that another server or the caller causes, and no store has a part in: each on one store, in turn."""
    return tuple(replace(row, only=store) for row, store in zip(rows, itertools.cycle(BACKENDS), strict=False))


# What is done to a store from outside: emptied, filled, taken away, tampered with. Each store in its own way.


_STATES = "oauth:state:"


def _sql(deployment: Deployment, statement: str) -> list[Any]:
    """Run one statement in the database, beside the gateway."""
    url = deployment.backend.environment["DATABASE_URL"]
    if deployment.backend.name == "postgres":
        found: list[Any] = deployment.servers["postgres"].execute(statement, url=url)
        return found
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


@contextlib.contextmanager
def second_store(deployment: Deployment) -> Iterator[Mapping[str, str]]:
    """Another store of the same kind; what an instance has to set to have it."""
    match deployment.backend.name:
        case "redis":
            yield {"REDIS_URL": deployment.servers["redis"].url.removesuffix("/0") + "/1"}
        case "postgres":
            url = deployment.servers["postgres"].create_database()
            deployment.stack.callback(deployment.servers["postgres"].drop_database, url)  # once the gateways are closed
            yield {"DATABASE_URL": url}
        case _:
            yield {"DATABASE_URL": f"sqlite:///{deployment.folder / 'second.db'}"}


def forget_rows(deployment: Deployment) -> None:
    """Delete the states, and nothing else."""
    if deployment.backend.name == "redis":
        server = deployment.servers["redis"]
        for key in _keys(deployment):
            server.command("DEL", key)
    else:
        _sql(deployment, "DELETE FROM oauth_states")


def flush(deployment: Deployment) -> None:
    """Empty the store, as FLUSHALL or a restored backup would."""
    if deployment.backend.name == "redis":
        deployment.servers["redis"].command("FLUSHALL")
    else:
        _sql(deployment, "DELETE FROM oauth_states")
        _sql(deployment, "DELETE FROM documents")


@contextlib.contextmanager
def evict(deployment: Deployment) -> Iterator[None]:
    """Let Redis run out of memory, with a policy that throws away what expires first, until the states are gone."""
    server = deployment.servers["redis"]
    try:
        server.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        used = next(line for line in server.command("INFO", "memory").decode().splitlines() if "used_memory:" in line)
        server.command("CONFIG", "SET", "maxmemory", str(int(used.partition(":")[2]) + 4_000_000))
        for number in range(400):
            if not _keys(deployment):
                break
            server.command("SET", f"filler:{number}", "x" * 100_000, "EX", "86400")
        assert not _keys(deployment), "nothing was evicted"
        server.command("CONFIG", "SET", "maxmemory", "0")
        yield
    finally:
        server.command("CONFIG", "SET", "maxmemory", "0")
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


@contextlib.contextmanager
def held_back(deployment: Deployment, gateway: InnerGateway) -> Iterator[None]:
    """The store does not answer, or has no room, while the block runs."""
    match deployment.backend.name:
        case "memory":
            _own(gateway)._limit = 0
            yield
        case "sqlite":
            path = Path(deployment.backend.environment["DATABASE_URL"].removeprefix("sqlite:///"))
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                yield
        case name:
            server = deployment.servers[name]
            server.stop()
            try:
                yield
            finally:
                server.start()


def rows(deployment: Deployment, gateway: InnerGateway) -> list[str]:
    """The sealed verifiers that are kept, first to last."""
    match deployment.backend.name:
        case "memory":
            entries = _own(gateway)._entries.values()
            return [entry.code_verifier for entry in entries]
        case "redis":
            return [
                json.loads(deployment.servers["redis"].command("GET", key))["code_verifier"]
                for key in _keys(deployment)
            ]
        case _:
            return [row[0] for row in _sql(deployment, "SELECT code_verifier FROM oauth_states ORDER BY created_at")]


def change_row(deployment: Deployment, gateway: InnerGateway, **values: str) -> None:
    """Write other text into a column of the one state that is kept."""
    match deployment.backend.name:
        case "memory":
            entries = _own(gateway)._entries
            for key, entry in entries.items():
                entries[key] = replace(entry, **values)
        case "redis":
            server = deployment.servers["redis"]
            for key in _keys(deployment):
                held = json.loads(server.command("GET", key)) | values
                text = json.dumps(held, separators=(",", ":"), ensure_ascii=False)
                server.command("SET", key, text, "KEEPTTL")
        case _:
            changes = ", ".join(f"{name} = '{value}'" for name, value in values.items())
            _sql(deployment, f"UPDATE oauth_states SET {changes}")


def outdate(deployment: Deployment) -> None:
    """Give the empty database the mark of a schema that this version does not know."""
    _sql(deployment, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    _sql(deployment, "INSERT INTO alembic_version VALUES ('9999')")


def _own(gateway: InnerGateway) -> Any:
    """The store itself, below whatever watches it."""
    states = gateway.application.services.states
    return getattr(states, "_states", states)


def _keys(deployment: Deployment) -> list[str]:
    script = f"return table.concat(redis.call('KEYS', '{_STATES}*'), '\\n')"
    return str(deployment.servers["redis"].command("EVAL", script, "0").decode()).split()


# One deployment for each cell: a store, and a provider beside it.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-store", action="store_true", help="bring about on each store what no store has a part in")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells that cannot be, which the page explains, and those that another store stands for."""
    whole = config.getoption("--every-store", default=False)
    gone = {item for item in items if (call := getattr(item, "callspec", None)) and not _wanted(call.params, whole)}
    if gone:
        config.hook.pytest_deselected(items=list(gone))
        items[:] = [item for item in items if item not in gone]


def _wanted(params: dict[str, object], whole: bool) -> bool:
    row, store = params.get("row"), params.get("backend")
    return not isinstance(row, Row) or (store not in row.impossible and (whole or store == (row.only or store)))


@pytest.fixture(scope="module")
def switch():
    with start_fault_switch() as started:
        yield started


@pytest.fixture
async def deployment(
    backend: GatewayBackend,
    switch: FaultSwitch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Deployment]:
    switch.heal()
    switch.forget()
    fixture = {"postgres": "postgres", "redis": "redis_server"}.get(backend.name)
    servers = {} if fixture is None else {backend.name: request.getfixturevalue(fixture)}
    opened = Deployment(backend, switch, tmp_path, monkeypatch, servers)
    async with opened.stack:
        yield opened
    tear_down_logging()
