"""What brings a cause about: the gateway it happens in, and one line of the table."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from latchpin.errors import LatchpinError
from latchpin.errors.causes import CAUSES, Cause
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch
from tests.servers import GatewayBackend
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, SECRET, USER_HEADER, InnerGateway, open_gateway

__all__ = ["Begun", "Row", "SETTINGS", "Situation", "World", "impossible", "rebuilt", "until"]

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
class World:
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


Situation = Callable[[World], Awaitable[httpx.Response | LatchpinError]]
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
    """

    slug: str
    situation: str
    bring: Situation
    neighbour: str
    fact: str = ""
    impossible: Mapping[str, str] = field(default_factory=dict)

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
