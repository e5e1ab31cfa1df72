"""Who may say by a JWT who somebody is: identity providers whose word gives tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jwt
from latchpin.contracts import Context
from latchpin.errors import InvalidRequest
from latchpin.sdk.identity import KeySet, decode_jwt, parse_email, read_key_id
from latchpin.sdk.settings import CoreSettings

__all__ = ["LEEWAY_SECONDS", "CompanyTokens", "Issuers", "read_address"]

LEEWAY_SECONDS = 30.0
"""For another machine's clock."""


class Issuers:
    """Proves JWTs of issuers that a deployer named.

    Args:
        key_urls: where each issuer publishes its keys (RFC 7517).
        context: the gateway's clock and way out.
        name: of the setting, for messages.
    """

    def __init__(self, key_urls: Mapping[str, str], context: Context, *, name: str) -> None:
        self._key_urls = key_urls
        self._context = context
        self._name = name
        self._keys: dict[str, KeySet] = {}

    def __bool__(self) -> bool:
        return bool(self._key_urls)

    async def prove(self, text: str, *, issuer: object, audience: str) -> dict[str, Any]:
        """Prove a JWT of ``issuer``, which it names itself; its claims.

        Raises:
            jwt.InvalidTokenError: it does not hold, or nobody trusts that issuer.
            UpstreamError: the issuer's keys cannot be fetched.
        """
        if not isinstance(issuer, str) or issuer not in self._key_urls:
            raise jwt.InvalidIssuerError("not trusted")
        key = await (await self._keys_of(issuer)).find(read_key_id(text))
        if key is None:
            raise jwt.InvalidSignatureError("no such key")
        return decode_jwt(
            text,
            [key],
            [key.algorithm_name],
            issuer=issuer,
            audiences=(audience,),
            now=self._context.clock().timestamp(),
            leeway=LEEWAY_SECONDS,
        )

    async def _keys_of(self, issuer: str) -> KeySet:
        known = self._keys.get(issuer)
        if known is None:
            url = self._key_urls[issuer]
            upstream = await self._context.trusted(url)
            known = self._keys[issuer] = KeySet(url, upstream=upstream, clock=self._context.clock, name=self._name)
        return known


@dataclass(frozen=True, slots=True)
class CompanyTokens:
    """The tokens that JWT_JWKS_URL proves.

    Attributes:
        issuer, audience: the ``iss`` and ``aud`` that they have.
        email_claim: which claim holds the person's address.
    """

    issuer: str
    audience: str
    email_claim: str
    issuers: Issuers

    @classmethod
    def of(cls, settings: CoreSettings, context: Context) -> Self | None:
        """Those that the settings name; None where they name none."""
        url, issuer, audience = settings.jwt_jwks_url, settings.jwt_issuer, settings.jwt_audience
        if not url or not issuer or not audience:
            return None
        issuers = Issuers({issuer: url}, context, name="JWT_JWKS_URL")
        return cls(issuer, audience, settings.jwt_email_claim, issuers)


def read_address(claims: Mapping[str, Any], *names: str) -> str:
    """Whom a proven JWT is about: the first of the claims ``names`` that is there is the person's address.

    Raises:
        InvalidRequest: none of them is an address, or its issuer says that it is not verified.
    """
    if claims.get("email_verified", True) not in (True, "true"):
        raise InvalidRequest("the address is not verified by its issuer")
    return parse_email(next((claims[name] for name in names if name in claims), None))
