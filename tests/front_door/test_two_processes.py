"""Two server processes on one store, as behind a load balancer: each way in goes through both, and ends at both.

Nothing here moves the clock, and nothing depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.providers import FaultSwitch
from tests.providers.identity_provider import IdentityProvider, start_identity_provider
from tests.servers import GatewayBackend, LatchpinProcess, start_latchpin
from tests.support.gateway_process import ADMIN, ALICE, USER_HEADER, DeployedGateway, deploy_gateway, settings_of
from tests.support.http_servers import Page, Site, open_site

NEEDS = ("latchpin_authorization_server", "latchpin_dcr", "latchpin_proxy")
pytestmark = pytest.mark.backends("sqlite", "postgres", "redis")

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
COMPANY = "https://mcp.example.com"
"""What the company's own tokens are for."""
_PATIENCE = 120


class _InTurns(httpx.AsyncHTTPTransport):
    """Sends each request to the process whose turn it is."""

    def __init__(self, *ports: int) -> None:
        super().__init__()
        self._ports = itertools.cycle(ports)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=next(self._ports))
        return await super().handle_async_request(request)


@dataclass(frozen=True)
class Two:
    """Both processes; BASE_URL is where the first one is.

    Attributes:
        first: where the API is asked.
        gateway_id: the one gateway's.
        idp: a company's identity provider, which both trust in each way.
    """

    first: DeployedGateway
    second: LatchpinProcess
    gateway_id: str
    idp: IdentityProvider

    @property
    def url(self) -> str:
        return f"{self.first.url}/gateways/{self.gateway_id}/mcp"

    def http(self, **headers: str) -> httpx.AsyncClient:
        """Talks to both in turns."""
        mounts = {self.first.url: _InTurns(self.first.process.port, self.second.port)}
        return httpx.AsyncClient(mounts=mounts, headers=headers, trust_env=False, timeout=60)

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        async with Browser(self.http(**{USER_HEADER: ALICE}), stops_before=REDIRECT_URI) as opened:
            yield opened

    @contextlib.asynccontextmanager
    async def client(self, kind: type[StockClient] = StockClient) -> AsyncIterator[StockClient]:
        async with self.http() as http:
            yield kind(http, self.url)

    @contextlib.asynccontextmanager
    async def api(self, email: str) -> AsyncIterator[httpx.AsyncClient]:
        """Talks to the first process, with a token of the company's."""
        said = {"email": email, "aud": COMPANY, "iat": int(time.time()), "exp": int(time.time()) + 3600}
        bearer = self.idp.sign({"iss": self.idp.issuer, "sub": email, **said})
        headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
        async with httpx.AsyncClient(base_url=self.first.url, headers=headers, trust_env=False, timeout=60) as client:
            yield client

    async def refused_at_the_second(self, token: str) -> None:
        """Return when the second process takes the token no more: it may remember for a second that it does."""
        url = f"http://127.0.0.1:{self.second.port}/gateways/{self.gateway_id}/mcp"
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http, asyncio.timeout(_PATIENCE):
            client = StockClient(http, url)
            while (answer := await client.call(token)).status_code == 200:
                pass
        assert answer.status_code == 401, answer.text
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with start_identity_provider() as provider:
        yield provider


@pytest.fixture
async def two(
    backend: GatewayBackend, tmp_path: Path, fault_switch: FaultSwitch, idp: IdentityProvider
) -> AsyncIterator[Two]:
    company = {
        "ID_JAG_ISSUERS": json.dumps({idp.issuer: f"{idp.issuer}/keys"}),
        "JWT_JWKS_URL": f"{idp.issuer}/keys",
        "JWT_ISSUER": idp.issuer,
        "JWT_AUDIENCE": COMPANY,
        "JWT_SECRET_KEY": "",
    }
    with deploy_gateway(backend, tmp_path, **company) as first:
        env = settings_of(backend) | company | {"BASE_URL": first.url}
        with start_latchpin(env=env, cwd=tmp_path) as second:
            started = Two(first, second, "", idp)
            async with started.api(ADMIN) as administrator:
                entry = {"url": fault_switch.provider.mcp_url, "name": "Files"}
                answer = (await administrator.post("/gateways", json=entry)).raise_for_status()
            yield replace(started, gateway_id=answer.json()["id"])


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


async def test_each_way_in_goes_through_both_and_what_ends_at_one_ends_at_the_other(two: Two, site: Site):
    """One test, because the processes take longer to start than all of it."""
    async with two.browser() as browser, two.api(ADMIN) as administrator, two.api(ALICE) as person:
        await _by_registration(two, browser)
        await _by_document(two, browser, site)
        await _by_device(two, browser)
        await _by_the_companys_word(two, administrator)
        await _grant_ends(two, browser, person)
        await _personal_token_ends(two, person)
        await _person_leaves(two, browser, person, administrator)
    assert "Traceback" not in two.first.log


# -- what ends -------------------------------------------------------------------------------------------------


async def _grant_ends(two: Two, browser: Browser, person: httpx.AsyncClient) -> None:
    async with two.client() as client:
        tokens = await client.gets_in(browser)
        await _is_in(client, tokens)
        ended = await person.delete("/oauth2/grants", params={"client_id": client.client["client_id"]})
        assert len(ended.raise_for_status().json()["grants"]) == 1
        await two.refused_at_the_second(tokens["access_token"])


async def _personal_token_ends(two: Two, person: httpx.AsyncClient) -> None:
    made = await _personal_token(person)
    async with two.client() as client:
        await _is_in(client, {"access_token": made["token"]})
    (await person.delete(f"/oauth2/personal-tokens/{made['personal_token']['id']}")).raise_for_status()
    await two.refused_at_the_second(made["token"])


async def _person_leaves(
    two: Two, browser: Browser, person: httpx.AsyncClient, administrator: httpx.AsyncClient
) -> None:
    made = (await _personal_token(person))["token"]
    async with two.client() as client:
        tokens = await client.gets_in(browser)
        for token in (made, tokens["access_token"]):
            await _is_in(client, {"access_token": token})
        (await administrator.delete("/oauth/tokens", params={"user": ALICE})).raise_for_status()
        for token in (made, tokens["access_token"]):
            await two.refused_at_the_second(token)
        assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def _personal_token(person: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await person.post("/oauth2/personal-tokens", json={"name": "Report"})).json()
    return made


# -- the ways --------------------------------------------------------------------------------------------------


async def _by_registration(two: Two, browser: Browser) -> None:
    async with two.client() as client:
        tokens = await client.gets_in(browser)
        await _is_in(client, tokens)
        await _is_in(client, (await client.refresh(tokens["refresh_token"])).raise_for_status().json())


async def _by_document(two: Two, browser: Browser, site: Site) -> None:
    url = f"{site.url}/client.json"
    said = {"client_id": url, "client_name": "Editor", "redirect_uris": [REDIRECT_URI]}
    site.pages["GET /client.json"] = Page(said, 200, {"Content-Type": "application/json"})
    async with two.client() as client:
        await client.discover()
        client.client = {"client_id": url}
        page = await browser.open(client.authorization_url())
        assert page.title == "Allow Editor?", page.text
        page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
        await _is_in(client, (await client.redeem(answer_of(page)["code"])).raise_for_status().json())


async def _by_device(two: Two, browser: Browser) -> None:
    async with two.client() as client:
        await client.introduce(grant_types=[DEVICE_CODE, "refresh_token"], redirect_uris=[])
        form = {"client_id": client.client["client_id"], "resource": two.url}
        shown = (await client.http.post(client.metadata["device_authorization_endpoint"], data=form)).json()
        page = await browser.open(shown["verification_uri"])
        page = await browser.submit(page.form(action="/device"), user_code=shown["user_code"])
        page = await browser.submit(page.form(action="/oauth2/decision"), press="allow")
        assert page.title == "Done", page.text
        asked = await client.token(grant_type=DEVICE_CODE, device_code=shown["device_code"])
        await _is_in(client, asked.raise_for_status().json())


async def _by_the_companys_word(two: Two, administrator: httpx.AsyncClient) -> None:
    entry = {"name": "Wiki", "grant_types": [JWT_BEARER, TOKEN_EXCHANGE]}
    entered = (await administrator.post("/oauth2/clients", json=entry)).raise_for_status().json()
    said = {"iss": two.idp.issuer, "email": ALICE, "sub": ALICE, "iat": int(time.time())}
    said["exp"] = said["iat"] + 300
    async with two.client() as client:
        await client.discover()
        client.client = {name: entered[name] for name in ("client_id", "client_secret")}
        named = {"client_id": client.client["client_id"], "resource": two.url, "jti": uuid.uuid4().hex}
        assertion = two.idp.sign(said | named | {"aud": two.first.url}, typ="oauth-id-jag+jwt")
        await _is_in(client, (await client.token(grant_type=JWT_BEARER, assertion=assertion)).json())
        again = await client.token(grant_type=JWT_BEARER, assertion=assertion)
        assert again.json()["error"] == "invalid_grant"
        subject = two.idp.sign(said | {"aud": COMPANY})
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
        await _is_in(client, (await client.token(**form)).json())


async def _is_in(client: StockClient, tokens: dict[str, Any]) -> None:
    """Both processes take the token."""
    for _ in range(2):
        answer = await client.call(tokens["access_token"])
        assert answer.status_code == 200, answer.text
