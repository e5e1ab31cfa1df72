"""A server that answers 401 to every fresh token does not cost a refresh for each request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from latchpin.application import Application
from latchpin.errors import AccessRefused, AuthorizationRequired
from latchpin.model import CLIENT_ITSELF, Caller

from tests.support.gateway_in_process import ALICE, MovedClock
from tests.token_refresh.conftest import add_gateway, open_application, put_token

pytestmark = pytest.mark.backends("memory")

CALLER = Caller(ALICE)


@pytest.fixture
async def application(settings: dict[str, str], clock: MovedClock) -> AsyncIterator[Application]:
    async with open_application(settings, clock) as opened:
        yield opened


async def test_a_users_token_is_renewed_once_in_a_minute(application, clock, server, origin):
    gateway = await add_gateway(application, origin)
    await put_token(application, gateway, ALICE, refresh_token="alice.0", age=timedelta(0))
    tokens = application.tokens
    first = await tokens.token_for(gateway, CALLER)
    second = await tokens.renew(gateway, CALLER, first.stored)
    assert second.access_token == "alice-access-1"
    for _ in range(3):
        with pytest.raises(AuthorizationRequired) as caught:
            await tokens.renew(gateway, CALLER, second.stored)
        assert caught.value.needs_reauth
    assert (await tokens.renew(gateway, CALLER, first.stored)).access_token == second.access_token  # a late caller's
    assert len(server.seen.refreshes) == 1
    assert not (
        await application.services.records.tokens.get(gateway.id, ALICE)
    ).needs_reauth  # it may be the MCP server's fault
    clock.advance(seconds=61)
    assert (await tokens.renew(gateway, CALLER, second.stored)).access_token == "alice-access-2"


async def test_so_is_the_gateways_own_which_is_nobodys_to_authorize(application, clock, server, origin):
    own = {"grant_type": "client_credentials", "authorization_url": None}
    gateway = await add_gateway(application, origin, **own)
    tokens = application.tokens
    first = await tokens.token_for(gateway, CALLER)
    assert first.stored.app_user_email == CLIENT_ITSELF
    second = await tokens.renew(gateway, CALLER, first.stored)
    assert second.access_token != first.access_token
    for _ in range(3):
        with pytest.raises(AccessRefused):
            await tokens.renew(gateway, CALLER, second.stored)
    assert len(server.seen.refreshes) == 2
    clock.advance(seconds=61)
    await tokens.renew(gateway, CALLER, second.stored)
    assert len(server.seen.refreshes) == 3


async def test_who_was_refused_does_not_get_the_refused_token_from_a_task_of_others(application, clock, server, origin):
    """Callers to whom the old token will do, and one to whom it will not, ask at the same moment."""
    gateway = await add_gateway(application, origin)
    await put_token(application, gateway, ALICE, refresh_token="alice.0", age=timedelta(seconds=3550))
    tokens = application.tokens
    server.failing = 503
    held = await tokens.token_for(gateway, CALLER)  # near its end; the server does not answer, and it still serves
    assert held.access_token == f"{ALICE}-first"
    server.failing = None
    clock.advance(seconds=11)
    held, renewed = await asyncio.gather(tokens.token_for(gateway, CALLER), tokens.renew(gateway, CALLER, held.stored))
    assert renewed.access_token == "alice-access-1"
    assert len(server.seen.refreshes) == 2
