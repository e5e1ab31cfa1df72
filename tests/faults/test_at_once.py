"""Several authorizations of one person at once, and a gateway that stops while one is completed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import timedelta

import pytest
from latchpin.authorization import one_at_a_time
from latchpin.errors import RecordConflict
from latchpin.model import Caller
from latchpin.tokens.sealing import open_token
from latchpin_audit.log import AuditLog

from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import ALICE, BASE, Connected, InnerGateway, connect

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

TEN = 10


async def access_token(gateway: InnerGateway, gateway_id: str) -> str:
    services = gateway.application.services
    stored = await services.records.tokens.get(gateway_id, ALICE)
    assert stored is not None
    return open_token(services.cipher, stored).access_token


async def test_ten_callbacks_of_one_person_all_succeed_in_turn(gateway, provider: FaultSwitch, monkeypatch):
    """What the provider issued last is what is kept: some end a person's earlier grants with each new one."""
    monkeypatch.setattr(one_at_a_time, "PATIENCE", timedelta(minutes=5))
    gateway_id = await gateway.add(provider.provider.mcp_url)
    endpoint = gateway.application.token_endpoint
    redeem, under_way, most, issued = endpoint.redeem, 0, 0, []

    async def watched(*given, **named):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(200):  # the others get on meanwhile, as far as they can
            await asyncio.sleep(0)
        issued.append(await redeem(*given, **named))
        under_way -= 1
        return issued[-1]

    monkeypatch.setattr(endpoint, "redeem", watched)
    async with contextlib.AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(gateway.browser()) for _ in range(TEN)]
        backs = [await gateway.returned(browser, gateway_id) for browser in browsers]
        pages = await asyncio.gather(*(browser.open(back) for browser, back in zip(browsers, backs, strict=True)))
    assert [page.title for page in pages] == ["OAuth Authorization Successful"] * TEN
    assert (len(issued), most) == (TEN, 1)
    assert await access_token(gateway, gateway_id) == issued[-1].access_token


async def test_nobody_waits_for_long_for_a_turn(gateway: InnerGateway, provider: FaultSwitch, monkeypatch):
    """A worker that died in its turn leaves its lease behind."""
    monkeypatch.setattr(one_at_a_time, "PATIENCE", timedelta(0))
    gateway_id = await gateway.add(provider.provider.mcp_url)
    leases = gateway.application.services.leases
    held = leases.hold("authorization", (gateway_id, ALICE), life=timedelta(minutes=5))
    async with held, gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.title == "OAuth Authorization Successful"


async def test_what_cannot_be_kept_is_revoked(gateway: InnerGateway, provider: FaultSwitch, monkeypatch):
    tokens = gateway.application.services.records.tokens

    async def taken(*_: object, **__: object) -> None:
        raise RecordConflict("somebody else was first")

    monkeypatch.setattr(tokens, "put", taken)
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        page = await browser.open(await gateway.returned(browser, gateway_id))
    assert page.status == 409
    assert provider.accounts.ledger.living() == []


# -- a gateway that stops -----------------------------------------------------------------------------


async def stop_while(endpoint: str, provider: FaultSwitch, gateway: InnerGateway, work) -> None:
    """Begin ``work``; when its request is at ``endpoint``, go away from it as a server does that stops, and close."""
    gate, arrived = threading.Event(), threading.Event()
    held = faults.held(gate)

    async def fault(app, scope, receive, send) -> None:
        arrived.set()
        await held(app, scope, receive, send)

    provider.arm(endpoint, fault)
    task = asyncio.create_task(work)
    assert await asyncio.to_thread(arrived.wait, 60)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    closing = asyncio.create_task(gateway.application.close())
    gate.set()
    await closing


async def noted(gateway: InnerGateway) -> list[str]:
    return [
        entry.event
        for entry in await AuditLog.of(gateway.application.services.context).records.list(after=0, limit=100)
    ]


async def test_a_code_that_was_sent_is_kept_and_recorded(gateway: InnerGateway, provider: FaultSwitch):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser() as browser:
        back = await gateway.returned(browser, gateway_id)
        await stop_while("token", provider, gateway, browser.open(back))
    assert await access_token(gateway, gateway_id)
    assert (await noted(gateway))[-1] == "authorization.completed"


@pytest.mark.parametrize("what", ["disconnect", "remove", "client"])
async def test_what_was_ended_is_told_the_server_and_recorded(what, gateway: InnerGateway, provider: FaultSwitch):
    connected = await connect(gateway, provider)
    application, root = gateway.application, Caller("root@example.com", is_admin=True, via="local")
    (client,) = await application.services.records.clients.list()
    work = {
        "disconnect": lambda: application.connections.disconnect(connected.id, ALICE, root),
        "remove": lambda: application.removal.remove(connected.id, root),
        "client": lambda: application.delete_client(client.id, root),
    }[what]
    await stop_while("manage" if what == "client" else "revoke", provider, gateway, work())
    assert provider.accounts.ledger.living() == []
    expected = {"disconnect": "token.disconnected", "remove": "tokens.revoked", "client": "client.deleted"}
    assert (await noted(gateway))[-1] == expected[what]


# -- scopes that the tools need -----------------------------------------------------------------------


async def test_scopes_that_listing_tools_lacks_are_asked_for_at_the_next_authorization(gateway, provider: FaultSwitch):
    connected: Connected = await connect(gateway, provider)
    provider.arm("mcp", faults.status(403, www_authenticate='Bearer error="insufficient_scope", scope="files:read"'))
    refused = await connected.fetch()
    assert (refused.status_code, refused.json()["cause"]) == (502, "access-refused")
    assert refused.json()["remedy"].startswith("Authorize again, which asks for those scopes too")
    async with gateway.client() as client:
        answer = await client.get(f"{BASE}/oauth/authorize/{connected.id}")
    assert "files%3Aread" in answer.headers["location"]
