"""A gateway in the test's process that signs people in at a provider on loopback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin_demo.browser import Browser, Page

from tests.oidc_login.provider import CLIENT, SECRET, LyingProvider, start_provider
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_oidc_login", "latchpin_memory_store", "latchpin_dcr")
HTML = {"accept": "text/html"}


class Desk:
    """The gateway, the provider, and what people do with both.

    Attributes:
        gateway: set up for the provider.
        provider: honest unless a test changes it.
    """

    def __init__(self, gateway: InnerGateway, provider: LyingProvider) -> None:
        self.gateway = gateway
        self.provider = provider

    async def sign_in(self, browser: Browser, target: str = "/") -> Page:
        """From the login page's link to the page after it."""
        login = await browser.open(f"{BASE}/login?next={target}")
        link = re.search(r'href="([^"]+)">Sign in with Example</a>', login.text)
        assert link is not None, login.text
        return await browser.open(f"{BASE}{link[1].replace('&amp;', '&')}")

    async def sign_in_again(self, browser: Browser) -> Page:
        """What the link does, for somebody who is signed in and does not see it."""
        return await browser.open(f"{BASE}/login/oidc")

    async def returned(self, browser: Browser) -> str:
        """The provider's answer, not followed: the URL with code and state."""
        page = await browser.open(f"{BASE}/login/oidc", follow=False)
        answer = await browser.open(str(page.headers["location"]), follow=False)
        return str(answer.headers["location"])

    async def who(self, browser: Browser) -> str | None:
        """Whom the gateway takes the browser for, None for nobody."""
        page = await browser.open(f"{BASE}/", follow=False)
        return page.text.partition('title="Signed in as ')[2].partition('"')[0] if page.status == 200 else None


@pytest.fixture(scope="session")
def running() -> Iterator[LyingProvider]:
    with start_provider() as started:
        yield started


@pytest.fixture
def provider(running: LyingProvider) -> LyingProvider:
    running.reset()
    return running


@pytest.fixture
def company(environment: pytest.MonkeyPatch, provider: LyingProvider) -> pytest.MonkeyPatch:
    """The settings of the sign-in; a test may change them before it asks for ``desk``."""
    environment.setenv("OIDC_LOGIN_ISSUER", provider.issuer)
    environment.setenv("OIDC_LOGIN_CLIENT_ID", CLIENT)
    environment.setenv("OIDC_LOGIN_CLIENT_SECRET", SECRET)
    environment.setenv("OIDC_LOGIN_LABEL", "Example")
    return environment


@pytest.fixture
async def desk(company: pytest.MonkeyPatch, provider: LyingProvider) -> AsyncIterator[Desk]:
    async with open_gateway() as gateway:
        yield Desk(gateway, provider)
    tear_down_logging()
