"""A company's identity provider: it says who somebody is, and exchanges that for grants at servers that trust it."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from latchpin_demo.loopback import bind, url_of
from latchpin_demo.state import Grant, InMemoryState
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.providers.faults import Fault, answer, oauth_error
from tests.servers import serve_asgi

__all__ = ["CLIENT", "IdentityProvider", "after_the_body", "redeeming", "start_identity_provider"]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"

CLIENT, SECRET = "latchpin-at-idp", "the-secret-at-the-identity-provider"


@dataclass
class IdentityProvider:
    """The provider.

    Attributes:
        fault: answers the exchanges instead, where it is set.
        asked: the forms of the exchanges so far.
        client_of: the MCP authorization server's name for this gateway's client, which the provider knows.
    """

    issuer: str
    fault: Fault | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    client_of: str = "gateway-at-mcp"
    issued_token_type: str = ID_JAG
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def id_token(self, user: str, /, **claims: Any) -> str:
        """What a program has after its user signed in."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": f"id of {user}",
            "email": user,
            "iat": now,
            "exp": now + 7200,
        }
        return self.sign({name: value for name, value in (said | claims).items() if value is not None})

    def sign(self, claims: dict[str, Any], **headers: str) -> str:
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": "one", **headers})

    @property
    def app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/keys", self._keys),
                Route("/token", self._Exchange(self), methods=["POST"]),
            ]
        )

    async def _metadata(self, _: Request) -> Response:
        return JSONResponse(
            {"issuer": self.issuer, "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys"}
        )

    async def _keys(self, _: Request) -> Response:
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return JSONResponse({"keys": [public | {"kid": "one", "use": "sig", "alg": "ES256"}]})

    @dataclass
    class _Exchange:
        provider: IdentityProvider

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            provider, request = self.provider, Request(scope, receive)
            form = {name: str(value) for name, value in (await request.form()).items()}
            provider.asked.append(form)
            fault = provider.fault or provider.exchange(form, request.headers.get("authorization", ""))
            await fault(provider.app, scope, after_the_body(receive), send)

    def exchange(self, form: dict[str, str], authorization: str) -> Fault:
        """The healthy answer (RFC 8693 section 2.2)."""
        if not authorization.startswith("Basic ") or form["grant_type"] != TOKEN_EXCHANGE:
            return oauth_error("invalid_client", code=401)
        options: Any = {"verify_exp": False}
        try:
            subject = jwt.decode(
                form["subject_token"], self.key.public_key(), ["ES256"], audience=CLIENT, options=options
            )
        except jwt.InvalidTokenError:
            return oauth_error("invalid_grant", f"no good: {form['subject_token']}")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": form["audience"],
            "sub": subject["sub"],
            "client_id": self.client_of,
            "resource": form["resource"],
            "jti": secrets.token_hex(8),
            "iat": now,
            "exp": now + 300,
        }
        granted = self.sign(claims, typ="oauth-id-jag+jwt")
        return answer({"access_token": granted, "issued_token_type": self.issued_token_type, "token_type": "N_A"})


def redeeming(provider: IdentityProvider, ledger: InMemoryState, *, issuer: str, resource: str) -> Fault:
    """For the token endpoint of a server that trusts ``provider``: it takes each ID-JAG once (RFC 7523)."""
    client = ledger.put_client(name="by hand", redirect_uris=(), auth_method="none", scope="mcp:read")
    seen: set[str] = set()

    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        form = await Request(scope, receive).form()
        said = judge(str(form["assertion"]))
        done = oauth_error("invalid_grant", "not trusted")
        if said is not None:
            issued = ledger._issue(Grant(str(said["sub"]), client.id, ("mcp:read",), resource))
            done = answer({"access_token": issued.access_token, "token_type": "Bearer", "expires_in": 3600})
        await done(app, scope, after_the_body(receive), send)

    def judge(assertion: str) -> dict[str, Any] | None:
        try:
            said: dict[str, Any] = jwt.decode(assertion, provider.key.public_key(), ["ES256"], audience=issuer)
        except jwt.InvalidTokenError:
            return None
        fits = said["resource"] == resource and said["client_id"] == provider.client_of and said["jti"] not in seen
        seen.add(said["jti"])
        return said if fits else None

    return fault


def after_the_body(receive: Receive) -> Receive:
    """What a fault listens to where the body has been read: an empty body, then what comes."""
    given = False

    async def listen() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return listen


@contextlib.contextmanager
def start_identity_provider() -> Iterator[IdentityProvider]:
    with bind() as listener:
        provider = IdentityProvider(url_of(listener))
        with serve_asgi(provider.app, lifespan="off", sock=listener):
            yield provider
