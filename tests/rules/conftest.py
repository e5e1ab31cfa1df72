"""What a rule is: a check against a whole gateway, and how the gateway is made to work without the rule.

Each rule is kept; and where it is taken out of the gateway, its check sees it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.errors import AuthorizationRequired, UpstreamError
from latchpin.model import Caller, Gateway
from latchpin_demo.browser import Browser, Page

from tests.providers import FaultSwitch, sign_in, start_fault_switch
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_dcr", "latchpin_memory_store")
CALLBACK = f"{BASE}/oauth/callback"


class RuleBroken(Exception):
    """The gateway does not keep the rule. Not an AssertionError, so that a check that is itself wrong is seen."""


def demand(kept: object, said: object) -> None:
    """Insist on what the rule promises."""
    if not kept:
        raise RuleBroken(str(said))


@dataclass
class GatewayUnderTest:
    """A gateway in this process, and a healthy provider with a switch at each endpoint."""

    gateway: InnerGateway
    switch: FaultSwitch

    async def add(self, **body: Any) -> str:
        return await self.gateway.add(self.switch.provider.mcp_url, **body)

    async def begin(self, browser: Browser, gateway_id: str) -> str:
        """Up to the provider's redirect back: the callback URL."""
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        page = await sign_in(browser, follow=False)
        demand("location" in page.headers, f"the provider does not send the browser back: {page.title}")
        return str(page.headers["location"])

    async def authorize(self) -> str:
        """A gateway that Alice has authorized."""
        gateway_id = await self.add()
        async with self.gateway.browser() as browser:
            page = await browser.open(await self.begin(browser, gateway_id))
        demand(succeeded(page), page.text)
        return gateway_id

    async def answer_to(self, gateway_id: str, user: str | None = ALICE, **headers: str) -> httpx.Response:
        """What a program of ``user`` is answered at the authorize URL."""
        async with self.gateway.client(user, Accept="application/json", **headers) as client:
            return await client.get(f"{BASE}/oauth/authorize/{gateway_id}")

    async def entry(self, gateway_id: str) -> Gateway:
        return await self.gateway.application.gateways.get_any(gateway_id)

    async def token(self, gateway_id: str, user: str = ALICE) -> str:
        """The access token that ``user`` is given."""
        gateway = await self.entry(gateway_id)
        return (await self.gateway.application.tokens.token_for(gateway, Caller(user))).access_token

    async def outcome(self, gateway_id: str, user: str = ALICE) -> str:
        """``token``, ``required`` (the user must authorize) or ``provider`` (try later)."""
        try:
            await self.token(gateway_id, user)
        except AuthorizationRequired:
            return "required"
        except UpstreamError:
            return "provider"
        return "token"

    def grants(self, kind: str) -> list[dict[str, str]]:
        """The token requests so far of one grant type."""
        return [asked.form for asked in self.switch.asked("token") if asked.form.get("grant_type") == kind]


def succeeded(page: Page) -> bool:
    return page.title.startswith("OAuth Authorization Successful")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: what the gateway promises.
        check: raises RuleBroken if the gateway does not keep it.
        remove: makes the gateway work without it.
        settings: further settings of the gateway.
    """

    name: str
    check: Callable[[GatewayUnderTest], Awaitable[None]]
    remove: Callable[[pytest.MonkeyPatch], None]
    settings: Mapping[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def open_for(rule: Rule, environment: pytest.MonkeyPatch) -> AsyncIterator[GatewayUnderTest]:
    for name, value in rule.settings.items():
        environment.setenv(name, value)
    with start_fault_switch() as switch:
        async with open_gateway() as gateway:
            yield GatewayUnderTest(gateway, switch)
    tear_down_logging()


async def keep(rule: Rule, environment: pytest.MonkeyPatch) -> None:
    """The gateway keeps the rule."""
    async with open_for(rule, environment) as tested:
        await rule.check(tested)


async def miss(rule: Rule, environment: pytest.MonkeyPatch) -> None:
    """Without the rule, its check fails."""
    rule.remove(environment)
    async with open_for(rule, environment) as tested:
        with pytest.raises(RuleBroken):
            await rule.check(tested)
