"""What is kept is given out only where it belongs, whatever crossed the change that should have dropped it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from latchpin.errors import AuthorizationRequired
from latchpin.model import Caller, OAuthConfig

from tests.api_keys.keyed_server import start_keyed
from tests.support.gateway_in_process import ALICE, InnerGateway, open_gateway

KEY = "sk-bound"


@pytest.fixture
async def inner(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://elsewhere.example/mcp"},
        {"auth_type": "oauth", "api_key": None, "oauth": OAuthConfig(issuer="https://elsewhere.example")},
    ],
    ids=["another URL", "OAuth since"],
)
async def test_a_key_that_outlived_a_change_is_not_given_out(inner: InnerGateway, change: dict[str, Any]):
    """As where it was written at the very moment: the record is still there, and the entry is another."""
    application, alice = inner.application, Caller(ALICE)
    with start_keyed(("authorization", f"Bearer {KEY}")) as server:
        gateway = await application.gateways.get_any(await inner.add(server.url, auth_type="api_key"))
        await application.api_keys.keep(gateway, KEY, alice)
        assert (await application.tokens.token_for(gateway, alice)).access_token == KEY
        records = application.services.records
        await records.gateways.replace(replace(gateway, revision=gateway.revision + 1, **change))
        access = await application.access.read(gateway.id, alice)
        assert access.token is None
        with pytest.raises(AuthorizationRequired, match="changed since"):
            await application.tokens.token_for(access.gateway, alice)
