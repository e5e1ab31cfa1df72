"""A forged callback is judged without the store, also where the browser's session would have to be looked up there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.identity.sessions import session_cookie_name, start_session

from tests.providers import FaultSwitch
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway


@pytest.fixture
def kept_away(gateway: InnerGateway, monkeypatch: pytest.MonkeyPatch):
    """Takes the store of ended sessions away, as an outage would."""

    async def fail(*_: object) -> None:
        raise BackendUnavailable("the store is away")

    kept = gateway.application.services.kept
    return lambda: monkeypatch.setattr(type(kept), "get", fail)


async def signed_in(gateway: InnerGateway) -> dict[str, str]:
    ticket = await start_session(gateway.application.signed_tokens, ALICE, admin=False, lifetime=timedelta(hours=1))
    return {session_cookie_name(BASE): ticket}


async def test_a_forged_state_is_named_while_the_store_is_away(gateway, provider: FaultSwitch, log, kept_away):
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.browser(None) as browser, gateway.client(None, Accept="application/json") as client:
        session = await signed_in(gateway)
        browser.cookies.update(session)
        url = await gateway.returned(browser, gateway_id)
        client.cookies = browser.cookies
        kept_away()
        forged = await client.get(url.replace("state=", "state=A"))
        assert (forged.status_code, forged.json()["cause"]) == (400, "state-signature")
        foreign = await client.get(url, headers={"cookie": "=".join(*session.items())})
        assert (foreign.status_code, foreign.json()["cause"]) == (403, "browser-changed")
        genuine = await client.get(url)
        assert (genuine.status_code, genuine.json()["cause"]) == (503, "store-unavailable")
    assert log().count("OAuth callback failed: ") == 3
