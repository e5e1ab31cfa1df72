"""Callers with ``Authorization: Bearer <JWT>`` (RFC 6750 section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from latchpin.contracts import Clock
from latchpin.errors import InvalidRequest, NotSignedIn
from latchpin.identity.address import parse_email
from latchpin.identity.jwks import KeySet
from latchpin.identity.jwts import END_OF_TIME, decode_jwt, explain_jwt, read_key_id
from latchpin.identity.presented import BEARER, parse_authorization
from latchpin.identity.revocations import SessionRevocations
from latchpin.identity.signed_tokens import ADMIN_CLAIM, SignedTokens
from latchpin.model import Caller, Evidence, IdentityAssertion, read_groups
from latchpin.oauth.assertions import read_expiry, type_of

__all__ = ["BearerIdentity"]

FOREIGN_CLOCK_LEEWAY = 30.0
"""Seconds that another server's clock may be off."""


class BearerIdentity:
    """Verifies bearer tokens: our own, or those of the server behind JWT_JWKS_URL.

    Args:
        signed_tokens: knows issuer, audience and our own keys.
        email_claim: JWT_EMAIL_CLAIM.
        groups_claim: JWT_GROUPS_CLAIM.
        key_set: the published keys; None where tokens are our own.
        clock: judges the times.
        revocations: knows whose tokens of our own were ended.
    """

    schemes = frozenset({BEARER})
    reads = frozenset({"authorization"})

    def __init__(
        self,
        signed_tokens: SignedTokens,
        *,
        email_claim: str,
        groups_claim: str | None,
        key_set: KeySet | None,
        clock: Clock,
        revocations: SessionRevocations,
    ) -> None:
        self._signed_tokens = signed_tokens
        self._email_claim = email_claim
        self._groups_claim = groups_claim
        self._key_set = key_set
        self._clock = clock
        self._revocations = revocations
        self._leeway = 0.0 if key_set is None else FOREIGN_CLOCK_LEEWAY
        self.issuer = None if key_set is None else signed_tokens.bearer_issuer

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say who the token was made for. Another scheme than Bearer is not ours to judge.

        Raises:
            NotSignedIn: the header is repeated or malformed, or its token does not hold.
            UpstreamError: the published keys cannot be had.
            BackendUnavailable: the store cannot be asked for our own keys, or whether the token was ended.
        """
        presented = parse_authorization(evidence.headers)
        if presented is None or presented.scheme != BEARER:
            return None
        token = presented.credentials
        try:
            claims = await self._claims(token, evidence.resource)
        except jwt.InvalidTokenError as exc:
            raise NotSignedIn(f"the bearer token was refused: {explain_jwt(exc)}") from exc
        email = self._email(claims)
        await self._check_not_ended(email, claims.get("iat"))
        return Caller(
            email,
            is_admin=self._is_admin(claims),
            via="bearer",
            assertion=self._assertion(token),
            proves_intent=True,
            expires_at=datetime.fromtimestamp(claims["exp"] + self._leeway, UTC),
            groups=frozenset() if self._groups_claim is None else read_groups(claims.get(self._groups_claim)),
            groups_said=self._groups_claim in claims,
            client=client if isinstance(client := claims.get("client_id", claims.get("azp")), str) else "",
        )

    async def _check_not_ended(self, email: str, issued_at: object) -> None:
        """One of ours that does not say when it was issued is older than any end; another issuer's, newer."""
        unsaid = 0.0 if self._key_set is None else END_OF_TIME - 1
        if await self._revocations.cover(email, issued_at if isinstance(issued_at, int | float) else unsaid):
            raise NotSignedIn("the bearer token was ended with its user's sessions", remedy="Ask for another token.")

    async def _claims(self, token: str, resource: str | None) -> dict[str, Any]:
        if self._key_set is None:
            return await self._signed_tokens.verify_bearer(token, resource=resource)
        key = await self._key_set.find(read_key_id(token))
        if key is None:
            raise jwt.InvalidSignatureError("no such key")
        return decode_jwt(
            token,
            [key],
            [key.algorithm_name],
            issuer=self._signed_tokens.bearer_issuer,
            audiences=self._signed_tokens.bearer_audiences(resource),
            now=self._clock().timestamp(),
            leeway=self._leeway,
        )

    def _email(self, claims: Mapping[str, Any]) -> str:
        if self._key_set is not None and claims.get("email_verified", True) not in (True, "true"):
            raise NotSignedIn("the bearer token's e-mail address is not verified by its issuer")
        try:
            return parse_email(claims.get(self._email_claim))
        except InvalidRequest as exc:
            raise NotSignedIn(f"the bearer token's claim '{self._email_claim}': {exc.detail}") from exc

    def _assertion(self, token: str) -> IdentityAssertion | None:
        """The token as its issuer's word for who the caller is; one of our own is nobody else's word."""
        if self._key_set is None:
            return None
        expires_at = read_expiry(token)
        if expires_at is None:  # longer than what is passed on: it proves its user, and is passed on to nobody
            return None
        return IdentityAssertion(token, self._signed_tokens.bearer_issuer, expires_at, type_of(token))

    def _is_admin(self, claims: Mapping[str, Any]) -> bool:
        # Only under our own keys: what another issuer puts into its tokens decides nothing here.
        return self._key_set is None and claims.get(ADMIN_CLAIM) is True
