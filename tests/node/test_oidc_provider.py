"""The whole flow against the certified oidc-provider: what it demands is done, and what it gives is used well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import pytest
from latchpin.clients.secrets import open_registration_token
from latchpin.errors import AuthorizationRequired
from latchpin.model import Caller
from latchpin_demo.browser import Browser, Page
from latchpin_demo.loopback import bind, url_of

from tests.node.conftest import (
    RESOURCE_SERVER,
    SCOPE,
    OidcProvider,
    Setup,
    answer_page,
    answer_pages,
    serve_protected,
    start_oidc_provider,
)
from tests.providers.clients import call_tool
from tests.servers.programs import Node
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway
from tests.support.gateway_process import BOB, DeployedGateway

SUCCESS = "OAuth Authorization Successful"


@dataclass(frozen=True)
class ProtectedServer:
    """A provider and the MCP server that takes its tokens."""

    provider: OidcProvider
    mcp_url: str

    def grants(self, client_id: str) -> list[str]:
        """The token requests of one client that were granted, by their kind."""
        return [told["grant"] for told in self.provider.told("granted") if told["client"] == client_id]


@dataclass
class GatewayInFront:
    """A gateway in this process, with the upstream in front."""

    inner: InnerGateway
    upstream: ProtectedServer

    async def authorize(self, browser: Browser, gateway_id: str, *, login: str = ALICE) -> Page:
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        return await answer_pages(browser, login=login)

    async def connect(self, **oauth_config: object) -> str:
        """A gateway that Alice has authorized."""
        gateway_id = await self.inner.add(self.upstream.mcp_url, oauth_config=oauth_config)
        async with self.inner.browser() as browser:
            page = await self.authorize(browser, gateway_id)
        assert page.title.startswith(SUCCESS), page.text
        return gateway_id

    async def callback_of(self, browser: Browser, gateway_id: str) -> str:
        """Up to the provider's redirect back, which is not followed."""
        page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}", follow=False)
        while not (target := page.headers.get("location", "")).startswith(f"{BASE}/oauth/callback"):
            if target:
                page = await browser.open(urljoin(page.url, target), follow=False)
            else:
                page = await answer_page(browser, page, login=ALICE, follow=False)
        return str(target)

    async def token(self, gateway_id: str, email: str = ALICE) -> str:
        application = self.inner.application
        gateway = await application.gateways.get_any(gateway_id)
        return (await application.tokens.token_for(gateway, Caller(email))).access_token

    async def client_id(self, gateway_id: str) -> str:
        [client] = await self.inner.application.services.records.clients.list(gateway_id=gateway_id)
        return client.client_id

    async def is_living(self, token: str) -> bool:
        """What the provider says of a token."""
        url, login = f"{self.upstream.provider.issuer}/token/introspection", RESOURCE_SERVER
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            proof = (str(login["client_id"]), str(login["client_secret"]))
            answer = await http.post(url, data={"token": token}, auth=proof)
        return bool(answer.json()["active"])


@pytest.fixture(scope="module")
def upstream(node: Node, packages: Path) -> Iterator[ProtectedServer]:
    with bind() as listener:
        resource = f"{url_of(listener)}/mcp"
        setup = Setup(clients=[RESOURCE_SERVER], scopes=(SCOPE,), resource=resource, registration=True)
        with (
            start_oidc_provider(node, packages, setup) as provider,
            serve_protected(listener, provider.issuer) as mcp_url,
        ):
            yield ProtectedServer(provider, mcp_url)


@pytest.fixture
async def in_front(gateway: InnerGateway, upstream: ProtectedServer) -> GatewayInFront:
    return GatewayInFront(gateway, upstream)


async def test_from_a_url_to_a_tool_for_each_user(proxy: DeployedGateway, upstream: ProtectedServer):
    gateway = await proxy.add(upstream.mcp_url)
    here = f"{proxy.url}/gateways/{gateway}/mcp"
    for email in (ALICE, BOB):
        async with proxy.browser(email) as browser:
            await browser.open(f"{proxy.url}/oauth/authorize/{gateway}")
            page = await answer_pages(browser, login=email)
        assert page.title.startswith(SUCCESS), page.text
    for email in (ALICE, BOB):
        assert await call_tool(here, proxy.bearer(email), "whose", {}) == email
    last = upstream.provider.told("granted")[-1]
    assert (last["grant"], last["resource"]) == ("authorization_code", upstream.mcp_url)
    assert len({told["client"] for told in upstream.provider.told("granted")[-2:]}) == 1


async def test_the_provider_demands_pkce(in_front: GatewayInFront):
    """So that the flows here prove that it is done."""
    gateway_id = await in_front.inner.add(in_front.upstream.mcp_url)
    async with in_front.inner.browser() as browser:
        page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}", follow=False)
        parts = urlsplit(page.headers["location"])
        query = [(name, value) for name, value in parse_qsl(parts.query) if not name.startswith("code_challenge")]
        page = await browser.open(parts._replace(query=urlencode(query)).geturl(), follow=False)
    assert "error=invalid_request" in page.headers["location"]


async def test_tokens_are_renewed_with_rotated_refresh_tokens(in_front: GatewayInFront):
    gateway_id = await in_front.connect()
    client_id = await in_front.client_id(gateway_id)
    seen = {await in_front.token(gateway_id)}
    for _ in range(2):
        in_front.inner.clock.advance(minutes=61)
        seen |= set(await asyncio.gather(*[in_front.token(gateway_id) for _ in range(20)]))
    assert len(seen) == 3
    assert in_front.upstream.grants(client_id) == ["authorization_code", "refresh_token", "refresh_token"]


async def test_disconnecting_revokes_upstream(in_front: GatewayInFront):
    gateway_id = await in_front.connect()
    token, application = await in_front.token(gateway_id), in_front.inner.application
    assert await in_front.is_living(token)
    said = await application.tokens.disconnect(await application.gateways.get_any(gateway_id), ALICE)
    assert said == "The authorization server revoked the token."
    assert not await in_front.is_living(token)


async def test_a_deleted_client_is_forgotten_by_the_provider(in_front: GatewayInFront):
    gateway_id = await in_front.connect()
    client_id = await in_front.client_id(gateway_id)
    forgotten = await in_front.inner.application.clients.delete(client_id)
    assert "has forgotten the client" in forgotten.answer
    assert client_id in [told["client"] for told in in_front.upstream.provider.told("forgotten")]


async def test_a_client_that_the_provider_forgot_is_registered_anew(in_front: GatewayInFront):
    gateway_id = await in_front.connect()
    services = in_front.inner.application.services
    [client] = await services.records.clients.list(gateway_id=gateway_id)
    bearer = open_registration_token(client, services.cipher)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        gone = await http.delete(client.registration_client_uri, headers={"Authorization": f"Bearer {bearer}"})
    assert gone.status_code == 204
    in_front.inner.clock.advance(minutes=61)
    with pytest.raises(AuthorizationRequired):
        await in_front.token(gateway_id)
    async with in_front.inner.browser() as browser:
        assert (await in_front.authorize(browser, gateway_id)).title.startswith(SUCCESS)
    assert await in_front.client_id(gateway_id) != client.client_id


async def test_a_persons_no_is_named(in_front: GatewayInFront):
    gateway_id = await in_front.inner.add(in_front.upstream.mcp_url)
    async with in_front.inner.browser() as browser:
        await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
        page = await answer_pages(browser, login=ALICE, allow=False)
    assert page.status == 403
    assert "declined" in page.text


async def test_a_resource_that_the_provider_does_not_know_is_named(in_front: GatewayInFront):
    gateway_id = await in_front.inner.add(
        in_front.upstream.mcp_url, oauth_config={"resource": "https://other.example/mcp"}
    )
    async with in_front.inner.browser() as browser:
        page = await in_front.authorize(browser, gateway_id)
    assert page.status >= 400
    assert "resource" in page.text


@pytest.mark.parametrize("iss", [None, "https://evil.example"])
async def test_an_answer_without_the_right_iss_is_not_redeemed(in_front: GatewayInFront, iss: str | None):
    gateway_id = await in_front.inner.add(in_front.upstream.mcp_url)
    async with in_front.inner.browser() as browser:
        url = urlsplit(await in_front.callback_of(browser, gateway_id))
        query = {name: value for name, value in parse_qsl(url.query) if name != "iss" or iss is not None}
        assert query.get("iss") in (None, in_front.upstream.provider.issuer)
        changed = query | ({} if iss is None else {"iss": iss})
        page = await browser.open(url._replace(query=urlencode(changed)).geturl())
    assert page.status == 400
    assert in_front.upstream.grants(await in_front.client_id(gateway_id)) == []


async def test_a_callback_that_is_repeated_is_redeemed_once(in_front: GatewayInFront):
    gateway_id = await in_front.inner.add(in_front.upstream.mcp_url)
    async with in_front.inner.browser() as browser:
        url = await in_front.callback_of(browser, gateway_id)
        first, second = await browser.open(url), await browser.open(url)
    assert first.title.startswith(SUCCESS)
    assert second.status == 400
    assert in_front.upstream.grants(await in_front.client_id(gateway_id)) == ["authorization_code"]
    assert await in_front.is_living(await in_front.token(gateway_id))  # a code sent twice would have cost the tokens
