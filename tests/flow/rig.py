"""A gateway as its deployer runs it, with callers of every kind: what the whole-flow tests act through."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from latchpin_demo.browser import Browser

from tests.providers import sign_in
from tests.servers import GatewayBackend, LatchpinProcess, run_latchpin, start_latchpin

__all__ = ["ADMIN", "ALICE", "BOB", "Rig", "start_rig"]

ADMIN, ALICE, BOB = "admin@example.com", "alice@example.com", "bob@example.com"
SECRET = "a-secret-of-the-tests-with-48-characters-in-all!"
JWT_KEY = "a-key-of-the-tests-for-bearer-tokens-40-chars"
USER_HEADER = "X-Test-User"


@dataclass
class Rig:
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
    async def browser(self, email: str | None = ALICE) -> AsyncIterator[Browser]:
        """A person's browser, signed in by the company's proxy in front; None: nobody is signed in."""
        headers = {} if email is None else {USER_HEADER: email}
        async with Browser(httpx.AsyncClient(headers=headers, trust_env=False, timeout=60)) as browser:
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
    """What every rig has set."""
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


@contextlib.contextmanager
def start_rig(backend: GatewayBackend, folder: Path, *arguments: str, **settings: str) -> Iterator[Rig]:
    """Serve a gateway on ``backend``; ``settings`` come on top."""
    env: Mapping[str, str] = settings_of(backend) | settings
    if backend.name in {"postgres", "mariadb"}:
        upgraded = run_latchpin("db", "upgrade", env=env, cwd=folder)
        assert upgraded.returncode == 0, upgraded.stderr
    with start_latchpin(*arguments, env=env, cwd=folder) as process:
        yield Rig(process, folder)
