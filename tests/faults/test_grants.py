"""A stranger's grant gets tokens as the built-in ones do, and one that nothing offers is named with what to install."""

from __future__ import annotations

from typing import Any

import pytest
from latchpin.errors import InvalidRequest
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import JWT_BEARER, Caller
from latchpin_demo.state import Grant
from starlette.requests import Request

from tests.core.test_plugin_faults import install
from tests.providers import FaultSwitch
from tests.providers.faults import answer, oauth_error
from tests.providers.identity_provider import after_the_body
from tests.support.gateway_in_process import ALICE, Connected, open_gateway

__all__ = ["install"]

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")

BADGE = "urn:acme:params:oauth:grant-type:badge"
ACME = f"""
import contextlib
import latchpin
from latchpin.contracts import GrantParameters, GrantSubject


class Badge:
    def subject(self, config):
        return GrantSubject("badge", personal=True, message="Your badge opens this gateway")

    def check(self, config, earlier):
        pass

    async def parameters(self, request):
        return GrantParameters({{"badge": "badge of " + request.caller.email}})

    def explain(self, refused):
        return refused


@contextlib.asynccontextmanager
async def open_badge(settings, context):
    yield Badge()


@latchpin.hookimpl
def latchpin_grants():
    return [latchpin.Backend("{BADGE}", "badges", latchpin.Settings, open_badge)]
"""


async def test_a_strangers_grant_gets_each_caller_a_token(install: Any, environment: Any, provider: FaultSwitch):
    install(ACME)
    ledger, url = provider.accounts.ledger, provider.provider.mcp_url
    client = ledger.put_client(name="by hand", redirect_uris=(), auth_method="none", scope="mcp:read")
    shown: list[dict[str, Any]] = []

    async def take_badges(app: Any, scope: Any, receive: Any, send: Any) -> None:
        form = dict(await Request(scope, receive).form())
        shown.append(form)
        issued = ledger._issue(Grant(ALICE, client.id, ("mcp:read",), url))
        good = answer({"access_token": issued.access_token, "token_type": "Bearer", "expires_in": 3600})
        await (good if form.get("badge") == f"badge of {ALICE}" else oauth_error("invalid_grant", "no"))(
            app, scope, after_the_body(receive), send
        )

    provider.arm("token", take_badges)
    async with open_gateway() as gateway:
        id_ = await gateway.add(url, oauth_config={"grant_type": BADGE, "client_id": "c"})
        connected = Connected(gateway, provider, id_)
        assert (await connected.fetch()).status_code == 200
        tokens = await gateway.application.services.records.tokens.list()
        assert [token.app_user_email for token in tokens] == [ALICE]
        assert shown[0]["grant_type"] == BADGE
        assert shown[0]["client_id"] == "c"
        status = (await connected.call("GET", "/oauth/status/{id}")).json()
        assert status["message"] == "Your badge opens this gateway"


async def test_a_grant_that_nothing_offers_is_named_with_what_to_install(
    environment: Any, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch
):
    url = provider.provider.mcp_url
    entry = {"grant_type": JWT_BEARER, "client_id": "c", "assertion": "a.b.c"}
    async with open_gateway() as gateway:
        id_ = await gateway.add(url, oauth_config=entry)
        monkeypatch.delitem(gateway.application.services.grants, JWT_BEARER)
        refused = await Connected(gateway, provider, id_).fetch()
        assert f"no installed plugin offers the grant '{JWT_BEARER}'" in refused.text
        assert "Install latchpin-enterprise with pip" in refused.text
        body = parse_gateway_body({"url": url, "oauth_config": entry})
        with pytest.raises(InvalidRequest, match="must be one of authorization_code, client_credentials") as caught:
            await gateway.application.gateways.create(body, Caller("admin@example.com", is_admin=True))
        assert "latchpin-enterprise" in caught.value.remedy
