"""Signing people in at the certified oidc-provider: it checks what we send, and we what it says."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from latchpin.activity.logs import tear_down_logging
from latchpin_demo.browser import Browser, Page
from latchpin_demo.loopback import bind, url_of

from tests.node.conftest import OidcProvider, Setup, answer_pages, start_oidc_provider
from tests.proxy.conftest import read, reply
from tests.servers import serve_asgi
from tests.servers.programs import Node
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_oidc_login", "latchpin_memory_store", "latchpin_dcr")
KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = json.dumps({**ECAlgorithm.to_jwk(KEY, as_dict=True), "kid": "one", "alg": "ES256"})
PUBLIC = {**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "one", "alg": "ES256", "use": "sig"}
SECRET = "a-client-secret-of-the-tests-with-enough-characters"
ADA, EVE, BOB = "ada@example.com", "eve@example.com", "bob@example.com"
ACCOUNTS = {
    EVE: {"email": ADA, "email_verified": False},
    BOB: {"email": BOB, "email_verified": True, "groups": ["ops"]},
}


def client(method: str, **more: Any) -> dict[str, Any]:
    """An entered client that authenticates with ``method``, and is called so."""
    return {
        "client_id": method,
        "token_endpoint_auth_method": method,
        "redirect_uris": [f"{BASE}/login/oidc/callback"],
        "post_logout_redirect_uris": [f"{BASE}/logout"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        **more,
    }


CLIENTS = [
    client("client_secret_basic", client_secret=SECRET),
    client("client_secret_post", client_secret=SECRET),
    client("private_key_jwt", jwks={"keys": [PUBLIC]}),
    client("none"),
]
SECRETS = {"client_secret_basic": SECRET, "client_secret_post": SECRET, "private_key_jwt": PRIVATE, "none": ""}


@pytest.fixture(scope="module")
def provider(node: Node, packages: Path) -> Iterator[OidcProvider]:
    """Address and groups are at the userinfo endpoint only, as the standard has it for this flow."""
    with start_oidc_provider(node, packages, Setup(clients=CLIENTS, accounts=ACCOUNTS)) as started:
        yield started


@pytest.fixture(scope="module")
def outspoken(node: Node, packages: Path) -> Iterator[OidcProvider]:
    """Everything is in the ID token."""
    setup = Setup(clients=CLIENTS, accounts=ACCOUNTS, claims_in_id_token=True)
    with start_oidc_provider(node, packages, setup) as started:
        yield started


@pytest.fixture
def opened(environment: pytest.MonkeyPatch):
    """Opens a gateway that signs in at a provider, with what else is set."""

    @contextlib.asynccontextmanager
    async def opened(
        at: OidcProvider, method: str = "client_secret_basic", **settings: str
    ) -> AsyncIterator[InnerGateway]:
        secret = {"OIDC_LOGIN_CLIENT_SECRET": SECRETS[method]}
        base = {"OIDC_LOGIN_ISSUER": at.issuer, "OIDC_LOGIN_CLIENT_ID": method, "OIDC_LOGIN_LABEL": "Example"}
        for name, value in {**base, **secret, "OIDC_LOGIN_TOKEN_ENDPOINT_AUTH_METHOD": method, **settings}.items():
            environment.setenv(name, value)
        async with open_gateway() as gateway:
            yield gateway
        tear_down_logging()

    return opened


async def sign_in(browser: Browser, login: str, *, allow: bool = True) -> Page:
    """From the gateway's login page to the page after it."""
    page = await browser.open(f"{BASE}/login")
    link = re.search(r'href="([^"]+)">Sign in with Example</a>', page.text)
    assert link is not None, page.text
    await browser.open(f"{BASE}{link[1]}")
    return await answer_pages(browser, login=login, allow=allow)


@pytest.mark.parametrize("method", SECRETS)
async def test_each_way_of_proving_the_client(opened, provider: OidcProvider, method: str):
    async with opened(provider, method) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, ADA)
    assert page.url == f"{BASE}/", page.text
    assert f"You are signed in as <strong>{ADA}</strong>" in page.text


async def test_what_the_id_token_says_is_enough(opened, outspoken: OidcProvider):
    groups = {"OIDC_LOGIN_SCOPES": "openid email groups", "OIDC_LOGIN_ADMIN_GROUPS": "ops"}
    async with opened(outspoken, **groups) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, BOB)
    assert f"<strong>{BOB}</strong>, an administrator" in page.text


async def test_an_administrator_by_a_group_at_the_userinfo_endpoint(opened, provider: OidcProvider):
    groups = {"OIDC_LOGIN_SCOPES": "openid email groups", "OIDC_LOGIN_ADMIN_GROUPS": "ops"}
    async with opened(provider, **groups) as gateway:
        async with gateway.browser(None) as browser:
            assert f"<strong>{BOB}</strong>, an administrator" in (await sign_in(browser, BOB)).text
        async with gateway.browser(None) as browser:
            assert f"<strong>{ADA}</strong>." in (await sign_in(browser, ADA)).text


async def test_somebody_elses_address_unverified_signs_nobody_in(opened, provider: OidcProvider):
    async with opened(provider) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, EVE)
        assert page.status == 403
        assert "not-admitted" in page.text
        assert (await browser.open(f"{BASE}/")).url.startswith(f"{BASE}/login")


async def test_who_declines_is_not_signed_in(opened, provider: OidcProvider):
    async with opened(provider) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, "carol@example.com", allow=False)
    assert page.status == 403
    assert "sign-in-refused" in page.text


async def test_the_answer_works_once(opened, provider: OidcProvider):
    async with opened(provider) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, ADA)
        (answer,) = [url for url in page.trail if "/login/oidc/callback" in url]
        again = await browser.open(answer)
    assert again.status == 400
    assert "sign-in-state" in again.text


async def test_a_wrong_secret_is_named(opened, provider: OidcProvider, log):
    async with opened(provider, OIDC_LOGIN_CLIENT_SECRET="wrong") as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, ADA)
    assert page.status == 502
    assert "OIDC_LOGIN_CLIENT_SECRET" in page.text
    assert "invalid_client" in log()


async def test_signing_out_here_and_there(opened, provider: OidcProvider):
    async with opened(provider) as gateway, gateway.browser(None) as browser:
        page = await sign_in(browser, ADA)
        page = await browser.submit(page.form(action="/logout"))
        link = re.search(r'href="([^"]+)">Sign out there too</a>', page.text)
        assert link is not None, page.text
        page = await browser.open(f"{BASE}{link[1]}")
        assert page.url.startswith(provider.issuer)
        page = await browser.submit(page.form(action="/session/end"), logout="yes")
        assert page.url == f"{BASE}/logout"
        page = await browser.open(f"{BASE}/login/oidc")  # the provider asks anew
        assert page.form(action="/interaction/").fields["prompt"] == "login"


@dataclass
class Heard:
    """Takes the logout tokens that a provider sends, and keeps the requests' bodies.

    Attributes:
        came: one for each.
    """

    url: str = ""
    came: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.came.append(await read(receive))
        await reply(send, 200, [], b"")


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Where the provider's back channel leads: the gateway of these tests has no socket."""
    heard = Heard()
    with bind() as listener, serve_asgi(heard, lifespan="off", sock=listener):
        heard.url = url_of(listener)
        yield heard


@pytest.mark.parametrize("session", [False, True])
async def test_who_signs_out_there_is_signed_out_here(opened, node: Node, packages: Path, heard: Heard, session: bool):
    """What the provider sends by its back channel is taken as it came; other sign-ins go on if it names a session."""
    url = {"backchannel_logout_uri": heard.url, "backchannel_logout_session_required": session}
    entered = client("client_secret_basic", client_secret=SECRET, **url)
    with start_oidc_provider(node, packages, Setup(clients=[entered], accounts=ACCOUNTS)) as provider:
        async with (
            opened(provider) as gateway,
            gateway.browser(None) as browser,
            gateway.browser(None) as other,
            gateway.client(None) as back_channel,
        ):
            await sign_in(browser, ADA)
            await sign_in(other, ADA)
            page = await browser.open(f"{BASE}/login/oidc/sign-out")
            await browser.submit(page.form(action="/session/end"), logout="yes")
            assert "logged out" in {each["event"] for each in provider.told()}, provider.told("refused")
            (body,) = heard.came
            headers = {"content-type": "application/x-www-form-urlencoded"}
            post = back_channel.post
            answers = [
                await post(f"{BASE}/login/oidc/backchannel-logout", content=body, headers=headers) for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [200, 400], "it counts once"
            assert (await browser.open(f"{BASE}/")).url.startswith(f"{BASE}/login")
            assert (await other.open(f"{BASE}/")).url.startswith(f"{BASE}/login") is not session
