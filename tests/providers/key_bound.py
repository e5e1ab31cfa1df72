"""An authorization server and an MCP server that bind tokens to keys (RFC 9449), as faults of a fault switch."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import jwt
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.providers.fault_switch import FaultSwitch
from tests.providers.faults import Fault, answer, changed, status

__all__ = ["KeyBound", "bind_tokens"]

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
