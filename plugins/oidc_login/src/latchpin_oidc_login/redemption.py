"""An authorization code to a person: the token request, the ID token's proof, and userinfo where that is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from latchpin.contracts import Upstream
from latchpin.errors import UpstreamUnreadable
from latchpin.model import ClientCredentials, IdentityAssertion, TokenGrant
from latchpin.sdk.gateway import Application
from latchpin.sdk.identity import KeySet
from latchpin.sdk.oauth import parse_object

from latchpin_oidc_login.errors import IdTokenInvalid
from latchpin_oidc_login.id_token import Expected, check_id_token, read_key_id
from latchpin_oidc_login.metadata import OpenIdProvider
from latchpin_oidc_login.person import Person, lacks_claims, read_person
from latchpin_oidc_login.settings import OidcLoginSettings

__all__ = ["Redeemed", "CodeRedemption"]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whose code it was, and the ID token that says so.

    Attributes:
        subject: the person's name at the provider (``sub``).
        session: the name of their session there (``sid``), by which the provider ends it; ``""``: it names none.
    """

    person: Person
    assertion: IdentityAssertion
    subject: str
    session: str


@dataclass(frozen=True, slots=True)
class CodeRedemption:
    """What one code is redeemed with.

    Attributes:
        keys: the provider's published ones.
        nonce: what the ID token has to repeat.
        begun_at: when the sign-in began.
    """

    provider: OpenIdProvider
    keys: KeySet
    client: ClientCredentials
    redirect_uri: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun_at: datetime

    async def redeem(self, code: str, application: Application, settings: OidcLoginSettings) -> Redeemed:
        """Find out whose code it is. Nothing is kept here; the access token is used up here.

        Raises:
            UpstreamError: the provider refused, could not be reached, or answered what cannot be read.
            IdTokenInvalid: what it says does not hold.
            NotAdmitted: the person may not sign in.
        """
        services = application.services
        grant = await application.token_endpoint.redeem(
            self.client,
            issuer=self.provider.issuer,
            token_url=self.provider.server.token_endpoint,
            code=code,
            verifier=self.verifier,
            redirect_uri=self.redirect_uri,
        )
        leeway = timedelta(seconds=settings.oidc_login_clock_leeway_seconds)
        claims = await self._prove(grant, services.clock(), leeway)
        needed = self.provider.userinfo_endpoint is not None and lacks_claims(claims, settings)
        userinfo = await self._ask_userinfo(services.upstream, grant, claims) if needed else {}
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        assertion = IdentityAssertion(grant.id_token or "", self.provider.issuer, expires_at)
        session = claims.get("sid")
        return Redeemed(
            read_person(claims, userinfo, settings),
            assertion,
            str(claims["sub"]),
            session if isinstance(session, str) else "",
        )

    async def _prove(self, grant: TokenGrant, now: datetime, leeway: timedelta) -> dict[str, Any]:
        if grant.id_token is None:
            raise IdTokenInvalid("the provider's token answer has no ID token that can be read")
        key = await self.keys.find(read_key_id(grant.id_token))
        if key is None:
            raise IdTokenInvalid("the ID token is signed with a key that the provider does not publish")
        expected = Expected(
            issuer=self.provider.issuer,
            client_id=self.client.client_id,
            nonce=self.nonce,
            access_token=grant.access_token,
            now=now,
            begun_at=self.begun_at,
            leeway=leeway,
        )
        return check_id_token(grant.id_token, key, self.provider.algorithms, expected)

    async def _ask_userinfo(self, upstream: Upstream, grant: TokenGrant, claims: Mapping[str, Any]) -> dict[str, Any]:
        """What the ID token leaves open (OpenID Connect Core section 5.3)."""
        headers = {"authorization": f"Bearer {grant.access_token}"}
        reply = await upstream.get(self.provider.userinfo_endpoint or "", headers=headers)
        if reply.status != HTTPStatus.OK:
            raise UpstreamUnreadable(f"the userinfo endpoint answered HTTP {reply.status}", http_status=reply.status)
        userinfo = parse_object(reply)
        if userinfo.get("sub") != claims["sub"]:
            raise IdTokenInvalid("the userinfo endpoint speaks of another account (sub) than the ID token")
        return userinfo
