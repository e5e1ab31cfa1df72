"""A store that is away when a person comes back: the callback waits for it, and says whether the link still holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.identity.sessions import session_cookie_name, start_session

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

TITLE = "OAuth Authorization Successful"
AWAY = "The store is not reachable"


@dataclass
class Outage:
    """One operation of a store that fails so many times, after it was carried out if ``late``."""

    operation: Callable[..., Awaitable[Any]]
    times: float = 2
    late: bool = False
    failed: int = field(default=0)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.failed >= self.times:
            return await self.operation(*args, **kwargs)
        self.failed += 1
        if self.late:
            await self.operation(*args, **kwargs)
        raise BackendUnavailable("the store is away")


@pytest.fixture
def breaks(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    """Makes an operation such as ``states.consume`` or ``tokens.put`` fail."""
    services = gateway.application.services

    def install(name: str, **how: Any) -> Outage:
        part, _, verb = name.partition(".")
        store = {"states": services.states, "kept": services.kept}.get(part) or getattr(services.records, part)
        store = getattr(store, "_states", store)  # behind what watches it
        outage = Outage(getattr(store, verb), **how)
        monkeypatch.setattr(store, verb, outage, raising=False)
        return outage

    return install


@pytest.fixture
def patient(gateway: InnerGateway) -> None:
    """A person who waits long: how slow the machine is does not matter."""
    services: Any = gateway.application.services
    object.__setattr__(services.settings, "oauth_callback_wait_seconds", 120)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("kept.get", id="the key that signs the result, when all is done"),
        pytest.param("states.consume", id="the state"),
        pytest.param("gateways.get", id="the gateway, when the state is used up"),
        pytest.param("tokens.get", id="the earlier token, when the code is redeemed"),
        pytest.param("tokens.put", id="the tokens, when the code is redeemed"),
    ],
)
async def test_it_is_waited_for(gateway, provider: FaultSwitch, breaks, operation: str):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        outage = breaks(operation)
        page = await browser.open(url)
    assert page.title == TITLE, page.text
    assert (outage.failed, len(provider.asked("token"))) == (2, 1)


@pytest.mark.usefixtures("patient")
async def test_who_is_signed_in_is_waited_for(gateway, provider: FaultSwitch, breaks):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser(None) as browser:
        ticket = await start_session(gateway.application.signed_tokens, ALICE, admin=False, lifetime=timedelta(hours=1))
        browser.cookies.update({session_cookie_name(BASE): ticket})
        url = await gateway.returned(browser, gateway_id)
        outage = breaks("kept.get")
        assert (await browser.open(url)).title == TITLE
    assert outage.failed == 2


async def test_the_page_says_that_the_same_link_still_holds_and_it_does(gateway, provider: FaultSwitch, breaks):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        breaks("states.consume", times=1)
        page = await browser.open(url)
        assert (page.status, page.title) == (503, AWAY)
        assert "open the same link again" in page.text
        assert (await browser.open(url)).title == TITLE


@pytest.mark.parametrize("operation", ["gateways.get", "tokens.put"])
async def test_what_is_used_up_is_not_promised(gateway, provider: FaultSwitch, breaks, operation: str):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        breaks(operation, times=float("inf"))
        page = await browser.open(url)
    assert (page.status, page.title) == (503, AWAY)
    assert "Start again with Authorize" in page.text
    assert "same link" not in page.text


@pytest.mark.usefixtures("patient")
async def test_a_store_that_took_the_state_and_lost_its_answer_accuses_nobody(gateway, provider, breaks, log):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        url = await gateway.returned(browser, gateway_id)
        breaks("states.consume", times=1, late=True)
        page = await browser.open(url)
        assert (page.status, page.title) == (503, AWAY)
        assert "Start again with Authorize" in page.text
        assert "replay" not in page.text + log()
        assert (await browser.open(url)).status == 400  # and another one is a replay all the same
    assert provider.asked("token") == []
