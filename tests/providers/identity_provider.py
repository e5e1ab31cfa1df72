"""A company's identity provider: it says who somebody is, and exchanges that for grants at servers that trust it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
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

from tests.providers.faults import Fault, FaultSwitch, answer, changed, oauth_error, status
from tests.servers import serve_asgi

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


# An authorization server and an MCP server that bind tokens to keys (RFC 9449), as faults of a fault switch.


TOKEN_NONCE, MCP_NONCE = "nonce-of-the-token-endpoint", "nonce-of-the-mcp-server"


@dataclass
class KeyBound:
    """What they saw.

    Attributes:
        nonces: both demand their nonce in each proof.
        endless: they demand another nonce each time.
        proofs: of the token endpoint and of the MCP server, in order, whole ones only.
        thumbprints: the keys that signed them.
        wrong: why a request was refused, but for the lack of a nonce.
    """

    switch: FaultSwitch
    nonces: bool = False
    endless: bool = False
    kind: str = "DPoP"
    proofs: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"token": [], "mcp": []})
    thumbprints: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def judge(self, endpoint: str, scope: Scope, token: str | None) -> str | None:
        """None if the proof holds, else the error."""
        proofs = [value.decode() for name, value in scope["headers"] if name == b"dpop"]
        wrong = f"{len(proofs)} proofs"
        if len(proofs) == 1:
            head = jwt.get_unverified_header(proofs[0])
            claims = jwt.decode(proofs[0], jwt.PyJWK(head["jwk"]), ["ES256"], options={"verify_iat": False})
            wrong = self._wrong(endpoint, scope, token, head, claims)
        if wrong:
            self.wrong.append(f"{endpoint}: {wrong}")
            return "invalid_dpop_proof"
        nonce = {"token": TOKEN_NONCE, "mcp": MCP_NONCE}[endpoint]
        if self.nonces and (claims.get("nonce") != nonce or self.endless):
            return "use_dpop_nonce"
        self.proofs[endpoint].append(claims)
        members = {name: head["jwk"][name] for name in ("crv", "kty", "x", "y")}
        self.thumbprints.add(_digest(json.dumps(members, separators=(",", ":"))))  # RFC 7638
        return None

    def _wrong(
        self, endpoint: str, scope: Scope, token: str | None, head: dict[str, Any], claims: dict[str, Any]
    ) -> str:
        host = dict(scope["headers"])[b"host"].decode()
        right = {
            "typ": head["typ"] == "dpop+jwt",
            "jwk": "d" not in head["jwk"],
            "htm": claims["htm"] == scope["method"],
            "htu": claims["htu"] == f"http://{host}{scope['path']}",
            "ath": claims.get("ath") == (None if token is None else _digest(token)),
            "jti": all(claims["jti"] != earlier["jti"] for earlier in self.proofs[endpoint]),
        }
        return ", ".join(name for name, holds in right.items() if not holds)

    async def token(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """For the token endpoint."""
        error = self.judge("token", scope, None)
        if error is not None:
            await _with(answer({"error": error}, code=400), "dpop-nonce", TOKEN_NONCE)(app, scope, receive, send)
            return
        await changed(token_type=self.kind)(app, scope, receive, send)

    async def mcp(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """For the MCP server: a healthy one below sees a bearer token."""
        headers = {name: value for name, value in scope["headers"] if name != b"dpop"}
        scheme, _, token = headers.get(b"authorization", b"").decode().partition(" ")
        if not token:
            await status(401, www_authenticate='DPoP algs="ES256"')(app, scope, receive, send)
            return
        error = "invalid_token" if scheme != "DPoP" else self.judge("mcp", scope, token)
        if error is not None:
            refusal = status(401, www_authenticate=f'DPoP error="{error}"', dpop_nonce=MCP_NONCE)
            await refusal(app, scope, receive, send)
            return
        headers[b"authorization"] = f"Bearer {token}".encode()
        await _with(app_itself, "dpop-nonce", MCP_NONCE)(
            app, {**scope, "headers": list(headers.items())}, receive, send
        )


async def app_itself(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def _with(fault: Fault, name: str, value: str) -> Fault:
    async def more(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (name.encode(), value.encode())]
            await send(message)

        await fault(app, scope, receive, add)

    return more


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def bind_tokens(switch: FaultSwitch, *, nonces: bool = False) -> KeyBound:
    """Let both servers of ``switch`` do it from now on."""
    bound = KeyBound(switch, nonces=nonces)
    switch.arm("metadata", changed(dpop_signing_alg_values_supported=["ES256", "EdDSA"]))
    switch.arm("token", bound.token)
    switch.arm("mcp", bound.mcp)
    return bound
