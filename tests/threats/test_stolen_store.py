"""Threat 12: a copy of the database, or of Redis, alone reads no secret."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from latchpin.identity.login import create_link

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ADMIN, connect, open_gateway
from tests.support.gateway_process import create_schema
from tests.threats.evidence import dump

pytestmark = pytest.mark.needs("latchpin_dcr")

ENTERED = "a-client-secret-that-an-administrator-entered"


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_copy_of_the_store_tells_no_secret(backend, request, environment, tmp_path, provider: FaultSwitch):
    for name, value in backend.environment.items():
        environment.setenv(name, value)
    server = None
    if backend.name != "sqlite":
        server = request.getfixturevalue({"postgres": "postgres", "redis": "redis_server"}[backend.name])
    create_schema(backend.environment)
    async with open_gateway() as gateway, gateway.browser() as browser:
        connected = await connect(gateway, provider)
        assert (await connected.fetch()).status_code == 200
        entered = {"client_id": "entered", "client_secret": ENTERED}
        await gateway.add("https://mcp.example.com/mcp", oauth_config=entered)
        link = await create_link(gateway.application.services, ADMIN)
        pending = await gateway.returned(browser, connected.id)
        bytes_ = dump(backend, server)
        assert (await browser.open(pending)).status == 200  # only now the pending flow's verifier is known
        ledger = provider.accounts.ledger
        forms = [asked.form for asked in provider.asked("token")]
        secrets = [ENTERED, parse_qs(urlsplit(link).query)["token"][0], *browser.cookies.values()]
        secrets += [form["code_verifier"] for form in forms]
        secrets += [*ledger._access, *ledger._refresh, *ledger._spent_refresh]
        secrets += [client.secret for client in ledger.clients.values() if client.secret]
        secrets += [client.registration_access_token for client in ledger.clients.values()]
        assert connected.id.encode() in bytes_  # it is the store's copy indeed
    assert len(secrets) >= 8
    assert [secret for secret in secrets if secret.encode() in bytes_] == []
