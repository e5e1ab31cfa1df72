"""A gateway in the test's process that signs people in at a provider on loopback."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from latchpin.activity.logs import tear_down_logging
from latchpin_demo.browser import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers import serve_asgi
from tests.servers.processes import HOST
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway

NEEDS = ("latchpin_oidc_login", "latchpin_memory_store", "latchpin_dcr")
HTML = {"accept": "text/html"}


class SignInFlow:
    """The gateway, the provider, and what people do with both.

    Attributes:
        gateway: set up for the provider.
        provider: honest unless a test changes it.
    """

    def __init__(self, gateway: InnerGateway, provider: LyingProvider) -> None:
        self.gateway = gateway
        self.provider = provider

    async def sign_in(self, browser: Browser, target: str = "/") -> Page:
        """From the login page's link to the page after it."""
        login = await browser.open(f"{BASE}/login?next={target}")
        link = re.search(r'href="([^"]+)">Sign in with Example</a>', login.text)
        assert link is not None, login.text
        return await browser.open(f"{BASE}{link[1].replace('&amp;', '&')}")

    async def sign_in_again(self, browser: Browser) -> Page:
        """What the link does, for somebody who is signed in and does not see it."""
        return await browser.open(f"{BASE}/login/oidc")

    async def returned(self, browser: Browser) -> str:
        """The provider's answer, not followed: the URL with code and state."""
        page = await browser.open(f"{BASE}/login/oidc", follow=False)
        answer = await browser.open(str(page.headers["location"]), follow=False)
        return str(answer.headers["location"])

    async def who(self, browser: Browser) -> str | None:
        """Whom the gateway takes the browser for, None for nobody."""
        page = await browser.open(f"{BASE}/", follow=False)
        return page.text.partition('title="Signed in as ')[2].partition('"')[0] if page.status == 200 else None


@pytest.fixture(scope="session")
def running() -> Iterator[LyingProvider]:
    with start_provider() as started:
        yield started


@pytest.fixture
def provider(running: LyingProvider) -> LyingProvider:
    running.reset()
    return running


@pytest.fixture
def company(environment: pytest.MonkeyPatch, provider: LyingProvider) -> pytest.MonkeyPatch:
    """The settings of the sign-in; a test may change them before it asks for ``flow``."""
    environment.setenv("OIDC_LOGIN_ISSUER", provider.issuer)
    environment.setenv("OIDC_LOGIN_CLIENT_ID", CLIENT)
    environment.setenv("OIDC_LOGIN_CLIENT_SECRET", SECRET)
    environment.setenv("OIDC_LOGIN_LABEL", "Example")
    return environment


@pytest.fixture
async def flow(company: pytest.MonkeyPatch, provider: LyingProvider) -> AsyncIterator[SignInFlow]:
    async with open_gateway() as gateway:
        yield SignInFlow(gateway, provider)
    tear_down_logging()


# An OpenID Connect provider that signs one account in at once, and lies on demand, as no real one does.


CLIENT, SECRET = "the-gateway", "a-client-secret-of-the-tests"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCESS_TOKEN = "an-access-token-of-the-tests"
PAGE = """<!doctype html><html lang="en"><title>Example accounts</title><link rel="icon" href="data:,">
<form method="post"><button>I am Ada</button></form></html>"""


@dataclass(frozen=True)
class Asked:
    """A request that reached the token endpoint."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class LyingProvider:
    """The provider; by default it is honest and Ada's address is verified. Each attribute changes one thing.

    Attributes:
        claims: put into the ID token; None takes one out.
        userinfo: what the userinfo endpoint answers; None: it is not offered.
        answer: put into the authorization answer; None takes one out.
        metadata: put into the metadata; None takes one out.
        token_answer: instead of what the token endpoint would answer: status and body.
        asks: whether it shows a page with a button first, as providers do.
        pkce: whether the code verifier is checked.
        sign: makes the ID token from its claims.
        asked: what reached the token endpoint.
        begun: the parameters of each authorization request.
    """

    issuer: str
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    answer: dict[str, str | None] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    token_answer: tuple[int, Any] | None = None
    asks: bool = False
    pkce: bool = True
    sign: Callable[[dict[str, Any]], str] = field(default_factory=lambda: signed)
    asked: list[Asked] = field(default_factory=list)
    begun: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata_asked: int = 0

    def reset(self) -> None:
        """Be honest again, and forget."""
        vars(self).update(vars(LyingProvider(self.issuer)))

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self._metadata),
            Route("/authorize", self._authorize, methods=["GET", "POST"]),
            Route("/end", self._end),
            Route("/token", self._token, methods=["POST"]),
            Route("/keys", self._keys),
            Route("/me", self._userinfo),
        ]

    async def _metadata(self, request: Request) -> Response:
        self.metadata_asked += 1
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "authorization_response_iss_parameter_supported": True,
            "userinfo_endpoint": None if self.userinfo is None else f"{self.issuer}/me",
        }
        return JSONResponse(changed(document, self.metadata))

    async def _authorize(self, request: Request) -> Response:
        if self.asks and request.method == "GET":
            return HTMLResponse(PAGE, headers={"referrer-policy": "no-referrer"})
        asked = dict(request.query_params)
        self.begun.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        answer = changed({"code": code, "state": asked["state"], "iss": self.issuer}, self.answer)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def _end(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        self.asked.append(Asked(form, dict(request.headers)))
        if self.token_answer is not None:
            return JSONResponse(self.token_answer[1], self.token_answer[0])
        asked = self.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or (self.pkce and not _proves(form["code_verifier"], asked))
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = self.sign(self._id_token(asked["nonce"]))
        return JSONResponse({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": token})

    async def _keys(self, request: Request) -> Response:
        key = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
        return JSONResponse({"keys": [{**key, "kid": "one", "use": "sig"}]})

    async def _userinfo(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(self.userinfo)

    def _id_token(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "account-1", "iat": now, "exp": now + 300, "nonce": nonce}
        return changed({**claims, "email": "ada@example.com", "email_verified": True}, self.claims)


def signed(claims: dict[str, Any], key: Any = KEY, *, algorithm: str = "RS256", kid: str | None = "one") -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def hash_of(token: str = ACCESS_TOKEN) -> str:
    """The ``at_hash`` of an access token under RS256."""
    return _base64url(hashlib.sha256(token.encode()).digest()[:16])


def changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def _proves(verifier: str, asked: Mapping[str, str]) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return asked["code_challenge_method"] == "S256" and asked["code_challenge"] == _base64url(digest)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextlib.contextmanager
def start_provider() -> Iterator[LyingProvider]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, 0))
    provider = LyingProvider(f"http://{HOST}:{listener.getsockname()[1]}")
    with serve_asgi(Starlette(routes=provider.routes()), sock=listener):
        yield provider
