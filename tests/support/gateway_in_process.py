"""A whole gateway inside the test's process, with a moved clock: for causes that time and processes would blur.

Everything is real (plugins, memory store, guarded HTTP to real servers on loopback) but the socket in front.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from typing import Any

import httpx
from fastapi import FastAPI
from latchpin.application import Application
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller
from latchpin.plugins import host
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.web.app import create_app
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch, sign_in
from tests.providers.identity_provider import CLIENT, IdentityProvider, redeeming
from tests.providers.identity_provider import SECRET as CLIENT_SECRET

BASE = "http://localhost:4444"
ADMIN, ALICE = "admin@example.com", "alice@example.com"
USER_HEADER = "X-Test-User"
SECRET = "a-secret-of-the-tests-with-48-characters-in-all!"
_CALLER = Caller(ADMIN, is_admin=True, via="local")


@functools.cache
def public_roots() -> ssl.SSLContext:
    """What a client trusts by default, read once: that takes longer than most of the requests."""
    return httpx.create_ssl_context(trust_env=False)


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
        sent = identity | headers
        return httpx.AsyncClient(mounts=mounts, headers=sent, verify=public_roots(), trust_env=False, timeout=60)

    async def bearer(self, email: str = ALICE, *, admin: bool = False) -> dict[str, str]:
        """The header fields of a program that comes with a token of the gateway's own."""
        token = await self.application.signed_tokens.create_bearer(email, admin, timedelta(days=1))
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    @contextlib.asynccontextmanager
    async def browser(self, user: str | None = ALICE) -> AsyncIterator[Browser]:
        async with Browser(self.client(user)) as browser:
            yield browser

    async def returned(self, browser: Browser, gateway_id: str) -> str:
        """Authorize up to the provider's redirect back; the callback URL, not followed."""
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        page = await sign_in(browser, follow=False)
        return str(page.headers["location"])


def installed(points: Callable[..., Iterable[EntryPoint]]) -> Plugins:
    """What is installed, and has been asked for nothing yet."""
    return _loaded(points, tuple(sys.path)).without(())


@functools.lru_cache(maxsize=4)
def _loaded(points: Callable[..., Iterable[EntryPoint]], folders: tuple[str, ...]) -> Plugins:
    """Loaded once for all gateways, as none changes it: that takes a third of the time in which one starts.

    Args:
        points: finds the entry points; a test may have put another in its place.
        folders: where it looks; a test may have put a plugin of its own into one more.
    """
    found = Plugins(points(group="latchpin"))
    found.faults(())  # each gateway asks for some of these again, and they are kept
    return found


@contextlib.asynccontextmanager
async def open_gateway() -> AsyncIterator[InnerGateway]:
    """Serve one gateway with the settings that the environment has."""
    clock = MovedClock()
    app = create_app(settings=load(CoreSettings), plugins=installed(host.entry_points), clock=clock)
    async with app.router.lifespan_context(app):
        yield InnerGateway(app, clock)


# People who are connected, and people whom an identity provider vouches for.


@dataclass(frozen=True)
class Connected:
    """One gateway's entry, authorized."""

    gateway: InnerGateway
    provider: FaultSwitch
    id: str

    async def bearer(self, email: str = ALICE) -> dict[str, str]:
        return await self.gateway.bearer(email)

    async def call(self, method: str, path: str, email: str = ALICE) -> httpx.Response:
        """One request with a bearer token of the gateway's own."""
        async with self.gateway.client(None, **await self.bearer(email)) as client:
            return await client.request(method, BASE + path.format(id=self.id))

    async def fetch(self, email: str = ALICE) -> httpx.Response:
        return await self.call("POST", "/oauth/fetch-tools/{id}", email)

    async def status(self, email: str = ALICE) -> dict[str, Any]:
        answer = await self.call("GET", "/oauth/status/{id}", email)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["user_token_status"]
        return found

    async def authorize(self, email: str = ALICE) -> None:
        async with self.gateway.browser(email) as browser:
            await browser.open(f"{BASE}/oauth/authorize/{self.id}")
            page = await sign_in(browser, user=email)
            assert page.title == "OAuth Authorization Successful", page.text

    def refreshes(self) -> list[dict[str, str]]:
        """The refresh requests so far."""
        forms = [asked.form for asked in self.provider.asked("token")]
        return [form for form in forms if form["grant_type"] == "refresh_token"]

    def bearers(self) -> list[str]:
        """The access tokens that the MCP server was shown, in order, each once in a row."""
        shown = [asked.headers.get("authorization", "") for asked in self.provider.asked("mcp")]
        return [token for index, token in enumerate(shown) if token and (index == 0 or shown[index - 1] != token)]


async def connect(gateway: InnerGateway, provider: FaultSwitch) -> Connected:
    """Create the entry and authorize it as alice."""
    found = Connected(gateway, provider, await gateway.add(provider.provider.mcp_url))
    await found.authorize()
    provider.forget()
    return found


JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class Vouched(Connected):
    """One such entry, and its identity provider."""

    idp: IdentityProvider

    async def hand_in(self, token: object, email: str = ALICE, method: str = "PUT") -> httpx.Response:
        async with self.gateway.client(None, **await self.bearer(email)) as client:
            body: Any = {"id_token": token}
            return await client.request(method, f"{BASE}/oauth/identity-assertion/{self.id}", json=body)

    async def tools(self, token: str) -> httpx.Response:
        """Fetch with a bearer token of the caller's own making."""
        async with self.gateway.client(None, Authorization=f"Bearer {token}") as client:
            return await client.post(f"{BASE}/oauth/fetch-tools/{self.id}")

    def redeemed(self) -> list[dict[str, str]]:
        """The token requests at the authorization server so far."""
        return [asked.form for asked in self.provider.asked("token")]


async def vouched_for(gateway: InnerGateway, provider: FaultSwitch, idp: IdentityProvider, **config: Any) -> Vouched:
    """Create the entry; the servers trust each other."""
    url, issuer = provider.provider.mcp_url, provider.accounts.issuer
    provider.arm("token", redeeming(idp, provider.accounts.ledger, issuer=issuer, resource=url))
    entry = {
        "grant_type": JWT_BEARER,
        "client_id": idp.client_of,
        "identity_provider": idp.issuer,
        "identity_provider_client_id": CLIENT,
        "identity_provider_client_secret": CLIENT_SECRET,
    }
    return Vouched(gateway, provider, await gateway.add(url, oauth_config=entry | config), idp)
