"""Access tokens: JWTs for exactly one resource (RFC 9068)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from latchpin.contracts import Clock
from latchpin.errors import InvalidRequest
from latchpin.sdk.identity import decode_jwt, parse_email, read_key_id
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.metadata import SCOPE
from latchpin_authorization_server.tokens.signing_keys import ALGORITHM, SigningKeys

__all__ = ["AccessToken", "AccessTokens"]

TYPE = "at+jwt"
_REMEMBERED = 4096
"""Proven tokens, by their hashes: one comes with many requests, and proving it costs more than most of them do."""
_OTHERS = 64
"""First parts of tokens of another type; the gateway's own bearer tokens have one, and come with many requests too."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says.

    Attributes:
        email: whose token it is.
        client_id: whom it was given to.
        resource: the one URL that takes it.
        grant_id: ends it before its time; ``""`` for a service client's, which ends with its client.
    """

    email: str
    client_id: str
    resource: str
    grant_id: str
    issued_at: datetime
    expires_at: datetime


class AccessTokens:
    """Signs and proves them.

    Args:
        keys: what signs.
        issuer: BASE_URL.
        clock: tells the time.
        lifetime: how long one lasts.
    """

    def __init__(self, keys: SigningKeys, *, issuer: str, clock: Clock, lifetime: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._proven: Bounded[bytes, AccessToken] = Bounded(_REMEMBERED)
        self._heads: set[str] = set()
        self._others: Bounded[str, None] = Bounded(_OTHERS)
        self.lifetime = lifetime

    def recognizes(self, text: str) -> bool:
        """Whether a text says of itself that it is one of ours; it is not proven by that."""
        head = text.partition(".")[0]
        return head in self._heads or (head not in self._others and self._says_so(text, head))

    def _says_so(self, text: str, head: str) -> bool:
        try:
            unproven = jwt.decode_complete(text, options={"verify_signature": False})
        except (jwt.InvalidTokenError, RecursionError):
            return False
        if unproven["header"].get("typ") != TYPE:
            self._others[head] = None
            return False
        return bool(unproven["payload"].get("iss") == self._issuer)

    async def sign(self, *, email: str, client_id: str, resource: str, grant_id: str = "") -> str:
        """Make one.

        Raises:
            BackendUnavailable: the key cannot be read from the store.
        """
        key, now = (await self._keys.all())[0], self._clock()
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": email,
            "email": email,
            "aud": resource,
            "client_id": client_id,
            "scope": SCOPE,
            "jti": secrets.token_urlsafe(16),
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
        }
        if grant_id:
            claims["grant_id"] = grant_id
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.id})

    async def prove(self, text: str, *, resource: str) -> AccessToken:
        """Prove one that is for ``resource``.

        Raises:
            jwt.InvalidTokenError: it does not hold.
            BackendUnavailable: the keys cannot be read from the store.
        """
        digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()
        token = self._proven.get(digest)
        if token is None:
            token = self._proven[digest] = await self._prove(text, resource)
            self._heads.add(text.partition(".")[0])  # as many as there are keys: only what we signed is proven
        if token.resource != resource:
            raise jwt.InvalidAudienceError("for another resource")
        if token.expires_at <= self._clock():
            raise jwt.ExpiredSignatureError("expired")
        return token

    async def _prove(self, text: str, resource: str) -> AccessToken:
        key = await self._keys.find(read_key_id(text))
        if key is None:
            raise jwt.InvalidSignatureError("no such key")
        now = self._clock().timestamp()
        return _read(decode_jwt(text, [key.public], [ALGORITHM], issuer=self._issuer, audiences=(resource,), now=now))

    async def read_own(self, text: str) -> AccessToken | None:
        """Prove one for whatever resource it names; None if it does not hold.

        Raises:
            BackendUnavailable: the keys cannot be read from the store.
        """
        try:
            named = jwt.decode(text, options={"verify_signature": False}).get("aud")
            return await self.prove(text, resource=str(named))
        except (jwt.InvalidTokenError, InvalidRequest, RecursionError):
            return None


def _read(claims: dict[str, Any]) -> AccessToken:
    texts = {name: claims.get(name) for name in ("sub", "client_id", "aud")}
    if not all(isinstance(each, str) for each in texts.values()):
        raise jwt.InvalidTokenError("a claim is missing")
    issued_at, expires_at = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    return AccessToken(
        parse_email(claims["sub"]),
        claims["client_id"],
        claims["aud"],
        str(claims.get("grant_id", "")),
        issued_at,
        expires_at,
    )
