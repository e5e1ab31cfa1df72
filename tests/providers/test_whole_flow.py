"""The main job on real input: a person authorizes, and the tools are fetched with that person's own token."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from latchpin_demo.browser import Browser, Page

from tests.providers import Provider, sign_in, start_demo_provider, start_sdk_provider
from tests.providers.servers import DemoProvider, SdkProvider, start_fastmcp_provider
from tests.servers import GatewayBackend, LatchpinProcess, run_latchpin, start_latchpin
from tests.support.gateway_process import create_schema

# A gateway that really runs, its administrator, and people with browsers.


ALICE = "alice@example.com"


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """``latchpin serve`` as a process.

    Attributes:
        process: for its output.
        api: calls it as ``ALICE``, an administrator, with a bearer token.
        key: JWT_SECRET_KEY.
    """

    process: LatchpinProcess
    api: httpx.AsyncClient
    key: str

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return self.process.base_url

    def bearer(self, email: str) -> dict[str, str]:
        """The header that makes a caller ``email``."""
        facts = {"iss": self.base_url, "aud": self.base_url, "email": email, "exp": int(time.time()) + 600}
        return {"Authorization": f"Bearer {jwt.encode(facts, self.key, algorithm='HS256')}"}

    async def add(self, provider: Provider, **oauth_config: Any) -> str:
        """Register the provider's MCP server by nothing but its URL (and ``oauth_config``); gives the id."""
        body: dict[str, Any] = {"name": "under test", "url": provider.mcp_url, "auth_type": "oauth"}
        if oauth_config:
            body["oauth_config"] = oauth_config
        answer = await self.api.post("/gateways", json=body)
        assert answer.status_code == 201, answer.text
        gateway_id: str = answer.json()["id"]
        return gateway_id

    async def sign_in(self, browser: Browser) -> None:
        """Use the first start's login link: the browser is ``ALICE``'s afterwards."""
        line = self.process.wait_for_output("/login?token=")
        found = re.search(r"http\S+/login\?token=\S+", line)
        assert found is not None
        page = await browser.open(found[0])
        page = await browser.submit(page.form(action="/login"))
        assert page.status == 200, page.text

    async def authorize(self, browser: Browser, gateway_id: str, *, user: str = ALICE) -> Page:
        """Authorize as the person at ``browser``, to the page that the gateway ends on."""
        await browser.open(f"{self.base_url}/oauth/authorize/{gateway_id}")
        return await sign_in(browser, user=user)

    async def fetch_tools(self, gateway_id: str, *, email: str = ALICE) -> httpx.Response:
        """Fetch as ``email``, who is known by a bearer token."""
        return await self.api.post(f"/oauth/fetch-tools/{gateway_id}", headers=self.bearer(email))


@contextlib.asynccontextmanager
async def start_gateway(folder: Path, environment: Mapping[str, str], *arguments: str) -> AsyncIterator[RunningGateway]:
    """Serve a gateway in ``folder`` until the block ends.

    Args:
        folder: its working folder.
        environment: the backend's settings, and any other.
        arguments: of the command; none means ``serve``.
    """
    key = secrets.token_urlsafe(48)
    settings = {
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": key,
        "ADMIN_EMAILS": ALICE,
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        "LOG_LEVEL": "DEBUG",
        "LOG_FILE": "",
    }
    settings |= environment
    create_schema(settings)
    with start_latchpin(*arguments, env=settings, cwd=folder) as process:
        async with httpx.AsyncClient(base_url=process.base_url, trust_env=False, timeout=60) as api:
            gateway = RunningGateway(process, api, key)
            api.headers.update(gateway.bearer(ALICE))
            yield gateway


NEEDS = ("fastmcp",)
pytestmark = pytest.mark.slow

STARTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "demo": start_demo_provider,
    "sdk": start_sdk_provider,
    "sdk-slash": lambda: start_sdk_provider(slash=True),
    "fastmcp": start_fastmcp_provider,
}
SUCCESS = "OAuth Authorization Successful"


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with ExitStack() as stack:
        yield stack.enter_context(STARTS[request.param]())


def log_lines(gateway: RunningGateway, gateway_id: str) -> str:
    """The log from the level on, where it is about this gateway; the gateway has ended, so all of it is there."""
    return "\n".join(re.findall(rf"(?:DEBUG|INFO|WARNING|ERROR) - .*{gateway_id}.*", gateway.process.output))


@pytest.mark.needs("latchpin_dcr")
async def test_from_a_url_to_the_tools_of_each_make(backend: GatewayBackend, browser: Browser, tmp_path: Path) -> None:
    """One gateway a store serves all of them: it takes longer to start than what is asked of it."""
    async with start_gateway(tmp_path, backend.environment) as gateway:
        await gateway.sign_in(browser)
        walked: dict[str, tuple[str, ...]] = {}
        for make in ("demo", "sdk", "fastmcp"):
            with STARTS[make]() as provider:
                gateway_id, trail = await walk_to_the_tools(gateway, provider, browser)
            walked[gateway_id] = trail
        assert len(walked) == 3
        gateway.process.stop()
        for gateway_id, trail in walked.items():
            check_log(gateway, gateway_id, backend, secret=trail)


async def walk_to_the_tools(
    gateway: RunningGateway, provider: Provider, browser: Browser
) -> tuple[str, tuple[str, ...]]:
    """Authorize and fetch the tools twice. Gives the gateway's id and each URL on the way, which are secret."""
    gateway_id = await gateway.add(provider)
    page = await gateway.authorize(browser, gateway_id)
    assert (page.status, SUCCESS in page.text, ALICE in page.text) == (200, True, True)
    assert page.url.startswith(f"{gateway.base_url}/oauth/success?")
    assert any(url.startswith(f"{gateway.base_url}/oauth/callback") for url in page.trail)

    fetched = (await gateway.fetch_tools(gateway_id)).json()
    count = len(provider.tools)
    assert fetched["message"] == f"Successfully fetched and created {count} tools"
    assert {tool["name"] for tool in fetched["tools"]} == provider.tools
    again = (await gateway.fetch_tools(gateway_id)).json()
    assert (again["success"], again["created"], again["updated"], again["removed"]) == (True, 0, 0, 0)

    status = (await gateway.api.get(f"/oauth/status/{gateway_id}")).json()
    assert status["user_token_status"]["status"] == "valid"
    return gateway_id, tuple(page.trail)


def check_log(gateway: RunningGateway, gateway_id: str, backend: GatewayBackend, *, secret: tuple[str, ...]) -> None:
    """The log tells of the flow, and nothing of what is secret in it."""
    lines = log_lines(gateway, gateway_id)
    assert f"DEBUG - Stored OAuth state in {backend.label} for gateway {gateway_id}" in lines
    assert f"DEBUG - Successfully validated OAuth state from {backend.label} for gateway {gateway_id}" in lines
    assert f"INFO - Completed OAuth flow for gateway {gateway_id}, user {ALICE}" in lines
    for each in (*secret, "state=", "code="):
        assert each not in gateway.process.output


@pytest.mark.backends("sqlite")
@pytest.mark.needs("latchpin_dcr")
@pytest.mark.parametrize("provider", ["sdk-slash"], indirect=True)
async def test_an_issuer_with_a_trailing_slash_is_another_issuer_and_works(
    provider: SdkProvider, backend: GatewayBackend, browser: Browser, tmp_path: Path
) -> None:
    async with start_gateway(tmp_path, backend.environment) as gateway:
        gateway_id = await gateway.add(provider)
        await gateway.sign_in(browser)
        assert SUCCESS in (await gateway.authorize(browser, gateway_id)).text
        assert (await gateway.fetch_tools(gateway_id)).json()["created"] == len(provider.tools)
        [client] = (await gateway.api.get("/oauth/registered-clients")).json()["clients"]
        assert client["issuer"] == provider.issuer
        assert provider.issuer.endswith("/")


@pytest.mark.backends("sqlite")
@pytest.mark.needs("latchpin_dcr")
@pytest.mark.parametrize("provider", ["demo"], indirect=True)
async def test_two_people_have_tokens_of_their_own(
    provider: DemoProvider, backend: GatewayBackend, browser: Browser, tmp_path: Path
) -> None:
    bob = "bob@example.com"
    async with start_gateway(tmp_path, backend.environment) as gateway, Browser() as bobs_browser:
        gateway_id = await gateway.add(provider)
        await gateway.sign_in(browser)
        await gateway.authorize(browser, gateway_id, user=ALICE)
        refused = await gateway.fetch_tools(gateway_id, email=bob)
        assert refused.status_code == 401
        assert refused.json()["authorize_url"] == f"{gateway.base_url}/oauth/authorize/{gateway_id}"

        environment = {**backend.environment, "BASE_URL": gateway.base_url, "LOG_FILE": ""}
        link = run_latchpin("login-link", "--email", bob, env=environment, cwd=tmp_path).stdout.strip()
        page = await bobs_browser.open(link)
        await bobs_browser.submit(page.form(action="/login"))
        await gateway.authorize(bobs_browser, gateway_id, user=bob)
        assert (await gateway.fetch_tools(gateway_id, email=bob)).json()["created"] == 3
        grants = {grant.user: grant for grant, _ in provider.accounts.ledger.living()}
        assert grants.keys() == {ALICE, bob}
        assert grants[ALICE].client_id == grants[bob].client_id

        gone = await gateway.api.delete(f"/oauth/tokens/{gateway_id}", headers=gateway.bearer(bob))
        assert gone.status_code == 200
        assert (grants[ALICE].revoked, grants[bob].revoked) == (False, True)
        assert (await gateway.fetch_tools(gateway_id, email=bob)).status_code == 401
        assert (await gateway.fetch_tools(gateway_id)).status_code == 200


@pytest.mark.backends("sqlite")
@pytest.mark.needs("latchpin_dcr")
@pytest.mark.parametrize("provider", ["demo"], indirect=True)
async def test_a_denial_is_said_and_stores_nothing(
    provider: DemoProvider, backend: GatewayBackend, browser: Browser, tmp_path: Path
) -> None:
    async with start_gateway(tmp_path, backend.environment) as gateway:
        gateway_id = await gateway.add(provider)
        await gateway.sign_in(browser)
        page = await browser.open(f"{gateway.base_url}/oauth/authorize/{gateway_id}")
        page = await browser.submit(page.form(action="/login"), email=ALICE, password="correct-horse")
        page = await browser.submit(page.form(action="/consent"), press="deny")
        assert page.status == 403
        assert SUCCESS not in page.text
        assert provider.accounts.ledger.living() == []
        assert (await gateway.fetch_tools(gateway_id)).status_code == 401
