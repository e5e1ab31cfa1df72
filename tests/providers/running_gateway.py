"""A gateway that really runs, its administrator, and people with browsers."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from latchpin_demo.browser import Browser, Page

from tests.providers.provider import Provider, sign_in
from tests.servers import LatchpinProcess, run_latchpin, start_latchpin

__all__ = ["ALICE", "RunningGateway", "start_gateway"]

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
    if settings.get("DATABASE_URL", "sqlite").partition(":")[0] != "sqlite":  # that one migrates itself
        upgraded = run_latchpin("db", "upgrade", env=settings, cwd=folder)
        assert upgraded.returncode == 0, upgraded.stderr
    with start_latchpin(*arguments, env=settings, cwd=folder) as process:
        async with httpx.AsyncClient(base_url=process.base_url, trust_env=False, timeout=60) as api:
            gateway = RunningGateway(process, api, key)
            api.headers.update(gateway.bearer(ALICE))
            yield gateway
