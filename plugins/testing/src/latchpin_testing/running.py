"""A whole gateway in the test's process: what a plugin's pages, routes and commands are tried with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from latchpin.activity.logs import tear_down_logging
from latchpin.contracts import Clock
from latchpin.sdk.assembly import Plugins, utc_now
from latchpin.sdk.settings import CoreSettings, load

if TYPE_CHECKING:  # what a store's suite does without is loaded when a gateway is started
    import httpx
    from fastapi import FastAPI
    from latchpin.sdk.gateway import Application, Services

__all__ = ["RunningGateway", "StartGateway", "running_gateway"]

SETTINGS = {
    "CACHE_TYPE": "memory",
    "RECORD_STORE": "memory",
    "AUTH_ENCRYPTION_SECRET": "a secret of the suite, of 32 bytes or more",
    "BASE_URL": "http://localhost:4444",
    "LOG_FILE": "",
}
SAME_ORIGIN = {"sec-fetch-site": "same-origin", "accept": "text/html"}
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that was started, with every plugin that is installed.

    Attributes:
        app: the web application.
        url: BASE_URL.
    """

    app: FastAPI
    url: str

    @property
    def services(self) -> Services:
        """What was opened: stores, cipher, clock, and so on, as contracts describe them."""
        application: Application = self.app.state.application
        return application.services

    def client(self, *, peer: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """Make a client for it, without a socket in between; nobody is signed in. It follows no redirects.

        Args:
            peer: the address that it seems to come from.
            headers: sent with every request, underscores as hyphens.
        """
        import httpx  # noqa: PLC0415  see above

        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 50_000))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=transport, base_url=self.url, headers=named)

    async def bearer(self, email: str, *, admin: bool = False) -> dict[str, str]:
        """Make a token for somebody; the header to send it in."""
        application: Application = self.app.state.application
        token = await application.signed_tokens.create_bearer(email, admin, timedelta(hours=1))
        return {"authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def browser(self, email: str, *, admin: bool = False) -> AsyncIterator[httpx.AsyncClient]:
        """A client that is signed in by a link as a browser is, and sends what a browser sends with its own forms."""
        from latchpin.sdk.identity import create_link  # noqa: PLC0415  see above

        async with self.client() as client:
            client.headers.update(SAME_ORIGIN)
            link = await create_link(self.services, email, admin=admin)
            answer = await client.post("/login", data={"token": link.partition("?token=")[2], "next": "/"})
            if answer.status_code != HTTPStatus.SEE_OTHER:
                pytest.fail(f"signing in answered {answer.status_code}")
            yield client

    async def form_token(self, browser: httpx.AsyncClient, path: str = "/") -> str:
        """The proof that the forms of a page carry, as ``csrf_token``."""
        found = _TOKEN.search((await browser.get(path)).text)
        if found is None:
            pytest.fail(f"the page {path} has no form with a csrf_token")
        return found[1]


StartGateway = Callable[..., Awaitable[RunningGateway]]


@pytest_asyncio.fixture
async def running_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartGateway]:
    """Give a function that starts a gateway in this process; the fixture ends it after the test.

    Its keywords are settings, as in ``await running_gateway(CACHE_TYPE="acme-file")``, over those of a gateway that
    keeps everything in memory; ``clock`` is its clock, ``plugins`` what is installed. It runs in an empty folder.
    """
    from latchpin.web.app import create_app  # noqa: PLC0415  see above

    monkeypatch.chdir(tmp_path)
    async with AsyncExitStack() as stack:

        async def start(*, clock: Clock = utc_now, plugins: Plugins | None = None, **settings: str) -> RunningGateway:
            for name, value in {**SETTINGS, **settings}.items():
                monkeypatch.setenv(name, value)
            core = load(CoreSettings)
            app = create_app(settings=core, plugins=plugins, clock=clock)
            stack.callback(tear_down_logging)
            await stack.enter_async_context(_serving(app))
            return RunningGateway(app, core.base_url)

        yield start


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[None]:
    """Open and close it in one task of its own: a fixture's two halves may run in different ones."""
    opened, over = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with app.router.lifespan_context(app):
            opened.set()
            await over.wait()

    task = asyncio.create_task(serve())
    begun = asyncio.create_task(opened.wait())
    await asyncio.wait([task, begun], return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    if not opened.is_set():
        await task  # it failed to open, and says how
    try:
        yield
    finally:
        over.set()
        await task
