"""A gateway as its deployer runs it, with callers of every kind: what tests of the whole flow act through."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

import httpx
import jwt
from latchpin_demo.browser import Browser

from tests.providers import Provider, sign_in
from tests.providers.servers import DemoProvider
from tests.servers import GatewayBackend, LatchpinProcess, start_latchpin

# A gateway as its deployer runs it, with callers of every kind: what the whole-flow tests act through.


ADMIN, ALICE, BOB = "admin@example.com", "alice@example.com", "bob@example.com"
SECRET = "a-secret-of-the-tests-with-48-characters-in-all!"
JWT_KEY = "a-key-of-the-tests-for-bearer-tokens-40-chars"
USER_HEADER = "X-Test-User"


@dataclass
class DeployedGateway:
    """One running gateway.

    Attributes:
        process: the ``latchpin serve`` behind it.
        folder: its working folder, with ``logs/mcpgateway.log``.
    """

    process: LatchpinProcess
    folder: Path

    @property
    def url(self) -> str:
        return self.process.base_url

    @property
    def log(self) -> str:
        return (self.folder / "logs" / "mcpgateway.log").read_text()

    def bearer(self, email: str, **claims: Any) -> str:
        """A caller's token, as the company's own issuer would make it."""
        payload = {"iss": self.url, "aud": self.url, "exp": int(time.time()) + 3600, "email": email, **claims}
        return jwt.encode(payload, JWT_KEY, algorithm="HS256")

    @contextlib.asynccontextmanager
    async def api(self, email: str = ADMIN) -> AsyncIterator[httpx.AsyncClient]:
        """An API caller."""
        headers = {"Authorization": f"Bearer {self.bearer(email)}", "Accept": "application/json"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=60) as client:
            yield client

    @contextlib.asynccontextmanager
    async def browser(self, email: str | None = ALICE, *, stops_before: str | None = None) -> AsyncIterator[Browser]:
        """A person's browser, signed in by the company's proxy in front; None: nobody is signed in."""
        headers = {} if email is None else {USER_HEADER: email}
        http = httpx.AsyncClient(headers=headers, trust_env=False, timeout=60)
        async with Browser(http, stops_before=stops_before) as browser:
            yield browser

    async def add(self, url: str, **body: Any) -> str:
        """Create a gateway and return its id."""
        async with self.api() as admin:
            answer = await admin.post("/gateways", json={"url": url, **body})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def begin(self, browser: Browser, gateway_id: str, *, user: str = ALICE) -> str:
        """Authorize up to the provider's redirect back, and return the callback URL without following it."""
        await browser.open(f"{self.url}/oauth/authorize/{gateway_id}")
        page = await sign_in(browser, user=user, follow=False)
        return str(page.headers["location"])

    async def authorize(self, browser: Browser, gateway_id: str, *, user: str = ALICE) -> None:
        """Authorize to the end."""
        await browser.open(f"{self.url}/oauth/authorize/{gateway_id}")
        page = await sign_in(browser, user=user)
        assert page.title.startswith("OAuth Authorization Successful"), page.text


def settings_of(backend: GatewayBackend) -> dict[str, str]:
    """What every deployed has set."""
    return {
        **backend.environment,
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "JWT_SECRET_KEY": JWT_KEY,
        "ADMIN_EMAILS": ADMIN,
        "TRUSTED_USER_HEADER": USER_HEADER,
        "TRUSTED_PROXIES": "127.0.0.1",
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        "LOG_LEVEL": "DEBUG",
    }


def create_schema(environment: Mapping[str, str]) -> None:
    """Do what ``latchpin db upgrade`` does, where a gateway does not do so itself; a process would take seconds."""
    url = environment.get("DATABASE_URL", "sqlite")
    if not url.startswith("sqlite"):
        from latchpin_sql_store.migrate import upgrade_database  # not every cell has it

        upgrade_database(url)


@contextlib.contextmanager
def deploy_gateway(
    backend: GatewayBackend, folder: Path, *arguments: str, executable: str | None = None, **settings: str
) -> Iterator[DeployedGateway]:
    """Serve a gateway on ``backend``; ``settings`` come on top. ``executable`` is as in ``start_latchpin``."""
    env: Mapping[str, str] = settings_of(backend) | settings
    create_schema(env)
    with start_latchpin(*arguments, env=env, cwd=folder, executable=executable) as process:
        yield DeployedGateway(process, folder)


# A gateway with two workers, as behind a load balancer without sticky sessions, and a person who meets both.


A_MOMENT = 0.02
"""Seconds between two calls of somebody who calls all the while: without them it would be a benchmark."""
PATIENCE = 120
"""Seconds until both workers must have taken a connection: which of them takes one is the system's choice."""


@contextlib.contextmanager
def start_pair(backend: GatewayBackend, folder: Path, **settings: str) -> Iterator[DeployedGateway]:
    """Serve with two workers; both are ready."""
    with deploy_gateway(backend, folder, "serve", "--workers", "2", **settings) as deployed:
        deployed.process.wait_for_output("Application startup complete", times=2)  # the first to serve is not both
        yield deployed


@contextlib.asynccontextmanager
async def _one_kept_with_each(url: str, headers: Mapping[str, str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Two clients by the instance id of the worker that answers; their connections stay, however long they are idle."""
    limits = httpx.Limits(keepalive_expiry=None)
    found: dict[str, httpx.AsyncClient] = {}
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.timeout(PATIENCE):
            while len(found) < 2:
                client = httpx.AsyncClient(headers=headers, trust_env=False, timeout=PATIENCE, limits=limits)
                instance = (await client.get(f"{url}/ready")).json()["instance"]
                if instance in found:
                    await client.aclose()
                    continue
                found[instance] = client
                stack.push_async_callback(client.aclose)
        yield found


@contextlib.asynccontextmanager
async def one_browser_on_each(deployed: DeployedGateway) -> AsyncIterator[tuple[Browser, Browser, str, str]]:
    """Two kept-alive connections of one person, to different workers, and the workers' instance ids."""
    async with _one_kept_with_each(deployed.url, {USER_HEADER: ALICE}) as found:
        (one, first), (two, second) = found.items()
        yield Browser(first), Browser(second), one, two


@contextlib.asynccontextmanager
async def one_connection_to_each(
    pair: DeployedGateway, bearer: str | None = None
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two kept-alive connections of Alice's programs, to different workers."""
    headers = {"Authorization": f"Bearer {bearer or pair.bearer(ALICE)}"}
    async with _one_kept_with_each(pair.url, headers) as found:
        yield [found[instance] for instance in sorted(found)]


def issued_by(callback_url: str) -> str:
    """The instance that issued the state."""
    head = parse_qs(urlsplit(callback_url).query)["state"][0].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=="))["instance"])


async def callback_of(pair: DeployedGateway, browser: Browser, gateway: str) -> str:
    """Go through the provider, whether it asks for consent or not, and stop before the callback."""
    page = await browser.open(f"{pair.url}/oauth/authorize/{gateway}", follow=False)
    while (location := page.headers.get("location")) and not location.startswith(f"{pair.url}/oauth/callback"):
        page = await browser.open(urljoin(page.url, location), follow=False)
    return str(location or (await sign_in(browser, follow=False)).headers["location"])


async def complete_on_the_other(pair: DeployedGateway, provider: Provider) -> str:
    """Begin on one worker, complete on the other, and fetch the tools there; return the gateway's id."""
    gateway = await pair.add(provider.mcp_url)
    async with one_browser_on_each(pair) as (first, second, one, two):
        returned = await callback_of(pair, first, gateway)
        second.cookies.update(first.cookies)  # one person's browser, two connections
        page = await second.open(returned)
        assert page.title == "OAuth Authorization Successful", page.text
        assert issued_by(returned) == one
        assert one != two
        page = await second.submit(page.form(action="fetch-tools"))
        assert f"Successfully fetched and created {len(provider.tools)} tools" in page.text
    stored = re.search(r"(\d+) latchpin\.flow DEBUG - Stored", pair.log)
    completed = re.search(r"(\d+) latchpin\.flow INFO - Completed", pair.log)
    assert stored
    assert completed
    assert stored[1] != completed[1], "the same process did both"
    return gateway


# The whole flow with a client that an administrator entered: nothing but core and a store is needed for it.


async def enter_client(deployed: DeployedGateway, provider: DemoProvider) -> str:
    """Register a client at the provider by hand, and create a gateway with it. Returns the gateway's id."""
    client = provider.accounts.ledger.put_client(
        name="by hand",
        redirect_uris=(f"{deployed.url}/oauth/callback",),
        auth_method="client_secret_basic",
        scope="mcp:read",
    )
    config = {"client_id": client.id, "client_secret": client.secret}
    return await deployed.add(provider.mcp_url, auth_type="oauth", oauth_config=config)


async def walk_whole_flow(deployed: DeployedGateway, provider: DemoProvider) -> str:
    """Authorize, come back, fetch the tools with a renewed token, disconnect. Returns the gateway's id."""
    gateway = await enter_client(deployed, provider)
    async with deployed.browser() as browser:
        await deployed.authorize(browser, gateway)
        page = browser.page
        assert page is not None
        provider.accounts.ledger._access.clear()  # the server takes its token no more, so it has to be renewed
        page = await browser.submit(page.form(action="fetch-tools"))
        assert f"created {len(provider.tools)} tools" in page.text, page.text
    assert provider.accounts.ledger._spent_refresh, "the token was not renewed"
    async with deployed.api(ALICE) as alice:
        stored = (await alice.get(f"/gateways/{gateway}/tools")).json()
        assert {tool["name"] for tool in stored["tools"]} == provider.tools
        assert await status_of(alice, gateway) == "valid"
        gone = await alice.delete(f"/oauth/tokens/{gateway}")
        assert gone.status_code == 200, gone.text
        assert await status_of(alice, gateway) == "missing"
        assert (await alice.post(f"/oauth/fetch-tools/{gateway}")).status_code == 401
    return gateway


async def status_of(api, gateway: str) -> str:
    answer = await api.get(f"/oauth/status/{gateway}")
    return str(answer.json()["user_token_status"]["status"])


# Follows the links of the gateway's pages: each one, until there is no new one.


_LINK = re.compile(r'(?:href|src)="([^"]+)"')
_LEADS_AWAY = re.compile(r"/(oauth/authorize/|logout|problems/).*|/login")
"""Begins something, ends the session, or is one of some sixty pages of one kind."""


async def dead_links(client: httpx.AsyncClient, start: str = "/") -> dict[str, str]:
    """What does not answer with success, by the page that links to it, beginning at ``start``.

    Args:
        client: signed in; its ``base_url`` is the gateway's.
        start: the first page.
    """
    origin = str(client.base_url).rstrip("/")
    seen, waiting, dead = {start}, [(start, "")], {}
    while waiting:
        path, page = waiting.pop()
        answer = await client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
        if not answer.is_success:
            dead[path] = f"HTTP {answer.status_code}, linked from {page or 'nowhere'}"
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in _LINK.findall(answer.text):
            url = urldefrag(urljoin(f"{origin}{path}", unescape(link))).url
            found = url.removeprefix(origin)
            if url.startswith(origin) and not _LEADS_AWAY.fullmatch(found) and found not in seen:
                seen.add(found)
                waiting.append((found, path))
    assert len(seen) > 5, seen
    return dead
