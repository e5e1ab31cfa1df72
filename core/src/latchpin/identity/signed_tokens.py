"""Short-lived signed texts: sessions, form tokens, the success page's facts, and our own bearer tokens.

All are JWTs (RFC 7519) under HS256, signed with random keys kept in the record store (``latchpin.workers.keys``).
A ticket's audience names the one purpose it was made for, so that none can be passed off as another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt

from latchpin.contracts import Cipher, Clock, KeyValueRecords
from latchpin.errors import InvalidRequest, SettingsError
from latchpin.identity.address import parse_email
from latchpin.identity.jwts import Verifier, explain_jwt
from latchpin.identity.settings import BearerSettings
from latchpin.services import Services
from latchpin.settings.core import CoreSettings
from latchpin.workers.keys import SharedKeys

__all__ = ["ADMIN_CLAIM", "SignedTokens", "build_bearer", "check_signs_bearers"]

ALGORITHM = "HS256"
ADMIN_CLAIM = "latchpin_admin"
"""Marks our own bearer tokens made with ``--admin``; believed only under our own keys."""


class SignedTokens:
    """Signs and verifies tickets and our own bearer tokens.

    Args:
        settings: what is set about bearer tokens.
        base_url: BASE_URL: the issuer of everything signed here.
        kept: where the random keys are kept.
        cipher: what seals them there.
        clock: judges expiry.
    """

    def __init__(
        self,
        settings: BearerSettings | CoreSettings,
        *,
        base_url: str,
        kept: KeyValueRecords,
        cipher: Cipher,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._base_url = base_url
        self._clock = clock
        self._ticket_keys = SharedKeys(kept, cipher, "tickets")
        self._bearer_keys = SharedKeys(kept, cipher, "bearer")
        self._verifier = Verifier([ALGORITHM])

    @classmethod
    def of(cls, services: Services) -> SignedTokens:
        """The tickets of an assembled gateway."""
        settings = services.settings
        return cls(
            settings,
            base_url=settings.base_url,
            kept=services.kept,
            cipher=services.cipher,
            clock=services.clock,
        )

    # -- tickets ------------------------------------------------------------------------------------------

    async def sign(self, purpose: str, claims: Mapping[str, Any], *, lifetime: timedelta) -> str:
        """Sign ``claims`` for one ``purpose``. They can be read by whoever holds the ticket: no secrets.

        Raises:
            BackendUnavailable: the key cannot be read from the store.
        """
        now = self._clock()
        times = {"iat": now.timestamp(), "exp": int((now + lifetime).timestamp())}
        payload = {**claims, "iss": self._base_url, "aud": _audience(purpose), **times}
        return jwt.encode(payload, (await self._ticket_keys.get())[0], algorithm=ALGORITHM)

    async def verify(self, purpose: str, ticket: str) -> dict[str, Any]:
        """Prove a ticket and return its claims.

        Raises:
            InvalidRequest: it is not ours, for another purpose, altered or expired.
            BackendUnavailable: the key cannot be read from the store.
        """
        try:
            return self._verifier.verify(
                ticket,
                await self._ticket_keys.get(),
                issuer=self._base_url,
                audiences=(_audience(purpose),),
                now=self._clock().timestamp(),
            )
        except jwt.InvalidTokenError as exc:
            raise InvalidRequest(
                f"the {purpose} ticket does not hold: {explain_jwt(exc)}",
                public="This page's link has expired or was altered.",
                remedy="Go back to the gateways page and begin again.",
            ) from exc

    # -- our own bearer tokens ----------------------------------------------------------------------------

    @property
    def bearer_issuer(self) -> str:
        """The ``iss`` of callers' bearer tokens: JWT_ISSUER, else BASE_URL."""
        return self._settings.jwt_issuer or self._base_url

    @property
    def bearer_audience(self) -> str:
        """The ``aud`` of callers' bearer tokens: JWT_AUDIENCE, else BASE_URL."""
        return self._settings.jwt_audience or self._base_url

    def bearer_audiences(self, resource: str | None) -> tuple[str, ...]:
        """Whom a bearer token may be meant for: this gateway, or exactly the ``resource`` that is asked (RFC 8707)."""
        return (self.bearer_audience,) if resource is None else (self.bearer_audience, resource)

    async def verify_bearer(self, token: str, *, resource: str | None = None) -> dict[str, Any]:
        """Prove a bearer token of our own and return its claims; ``resource`` as in ``Evidence``.

        Raises:
            jwt.InvalidTokenError: it does not hold.
            BackendUnavailable: the key cannot be read from the store.
        """
        return self._verifier.verify(
            token,
            await self._own_bearer_keys(),
            issuer=self.bearer_issuer,
            audiences=self.bearer_audiences(resource),
            now=self._clock().timestamp(),
        )

    async def _own_bearer_keys(self) -> Sequence[bytes]:
        """The symmetric keys of bearer tokens: JWT_SECRET_KEY, else the random kept ones."""
        secret = self._settings.jwt_secret_key
        return (secret.get_secret_value().encode(),) if secret is not None else await self._bearer_keys.get()

    async def create_bearer(self, email: str, admin: bool, lifetime: timedelta) -> str:
        """Make a bearer token for a caller.

        Raises:
            InvalidRequest: ``email`` is not an address.
            SettingsError: JWT_JWKS_URL is set, so tokens come from there.
            BackendUnavailable: the key cannot be read from the store.
        """
        check_signs_bearers(self._settings, self.bearer_issuer)
        key = (await self._own_bearer_keys())[0]
        return build_bearer(
            self._settings, self._base_url, key, email=email, admin=admin, lifetime=lifetime, now=self._clock()
        )


def check_signs_bearers(settings: BearerSettings | CoreSettings, issuer: str) -> None:
    """Refuse where bearer tokens come from another server.

    Raises:
        SettingsError: JWT_JWKS_URL is set.
    """
    if settings.jwt_jwks_url:
        text = "JWT_JWKS_URL is set: bearer tokens are issued by that server, not by this gateway"
        raise SettingsError(text, public=text, remedy=f"Ask {issuer} for a token.")


def build_bearer(
    settings: BearerSettings | CoreSettings,
    base_url: str,
    key: bytes,
    *,
    email: str,
    admin: bool,
    lifetime: timedelta,
    now: datetime,
) -> str:
    """Sign a bearer token of our own with ``key``; no store is asked.

    Raises:
        InvalidRequest: ``email`` is not an address.
    """
    address = parse_email(email)
    payload: dict[str, Any] = {
        "iss": settings.jwt_issuer or base_url,
        "aud": settings.jwt_audience or base_url,
        "sub": address,
        settings.jwt_email_claim: address,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    if admin:
        payload[ADMIN_CLAIM] = True
    return jwt.encode(payload, key, algorithm=ALGORITHM)


def _audience(purpose: str) -> str:
    return f"latchpin:{purpose}"
