"""A whole gateway inside the test's process, with a moved clock: for causes that time and processes would blur.

Everything is real (plugins, memory store, guarded HTTP to real servers on loopback) but the socket in front.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from latchpin.application import Application
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.web.app import create_app
from latchpin_demo.browser import Browser

from tests.providers import sign_in

__all__ = ["ADMIN", "ALICE", "BASE", "InnerGateway", "open_gateway"]

BASE = "http://localhost:4444"
ADMIN, ALICE = "admin@example.com", "alice@example.com"
USER_HEADER = "X-Test-User"
SECRET = "a-secret-of-the-tests-with-48-characters-in-all!"
_CALLER = Caller(ADMIN, is_admin=True, via="local")


@dataclass
class MovedClock:
    """The gateway's time: the real one, plus what the test advanced it.

    Attributes:
        stopped_at: the real time that it stands at since it was stopped, so that a slow machine uses up nothing.
    """

    ahead: timedelta = field(default_factory=timedelta)
    stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self.stopped_at or datetime.now(UTC)) + self.ahead

    def stop(self) -> None:
        """From now on only ``advance`` moves it."""
        self.stopped_at = datetime.now(UTC)

    def advance(self, **amount: float) -> None:
        self.ahead += timedelta(**amount)


@dataclass
class InnerGateway:
    """The gateway and what a test needs around it."""

    app: FastAPI
    clock: MovedClock

    @property
    def application(self) -> Application:
        application: Application = self.app.state.application
        return application

    async def add(self, url: str, **body: Any) -> str:
        return (await self.application.gateways.create(parse_gateway_body({"url": url, **body}), _CALLER)).id

    def allow(self, *, seconds: int) -> None:
        """Give other servers so long to answer from now on: a second to those that never do, a minute to all others."""
        upstream: Any = self.application.services.upstream
        servers: Any = self.application.servers
        upstream.timeout = seconds
        servers._settings = servers._settings.model_copy(update={"oauth_request_timeout": seconds})

    def client(self, user: str | None = ALICE, **headers: str) -> httpx.AsyncClient:
        """Carries requests for the gateway to the app in this process, all others over the network."""
        identity = {} if user is None else {USER_HEADER: user}
        mounts = {BASE: httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("127.0.0.1", 50000))}
        return httpx.AsyncClient(mounts=mounts, headers=identity | headers, trust_env=False, timeout=60)

    @contextlib.asynccontextmanager
    async def browser(self, user: str | None = ALICE) -> AsyncIterator[Browser]:
        async with Browser(self.client(user)) as browser:
            yield browser

    async def returned(self, browser: Browser, gateway_id: str) -> str:
        """Authorize up to the provider's redirect back; the callback URL, not followed."""
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        page = await sign_in(browser, follow=False)
        return str(page.headers["location"])


@contextlib.asynccontextmanager
async def open_gateway() -> AsyncIterator[InnerGateway]:
    """Serve one gateway with the settings that the environment has."""
    clock = MovedClock()
    app = create_app(settings=load(CoreSettings), clock=clock)
    async with app.router.lifespan_context(app):
        yield InnerGateway(app, clock)
