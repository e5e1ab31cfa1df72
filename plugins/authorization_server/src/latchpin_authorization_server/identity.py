"""Callers with an access token of the authorization server: for exactly the resource that is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import jwt
from latchpin.contracts import Clock, Endings
from latchpin.errors import InvalidRequest, NotSignedIn
from latchpin.model import VIA_ACCESS_TOKEN, Caller, Evidence
from latchpin.sdk.identity import SessionRevocations, explain_jwt, parse_authorization
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.tokens.access_tokens import AccessToken, AccessTokens

__all__ = ["REMEMBERED", "VIA_SERVICE", "AccessTokenIdentity", "Standing", "name_grant", "name_service"]

VIA_SERVICE = "service"
"""How a service came: it got its token by itself, and has nobody to send through a sign-in."""
REMEMBERED = timedelta(seconds=0.5)
"""How long a worker goes on without asking the store again whether something stands: half of the second within which an
end counts at every worker, since the gateway remembers callers for the other half."""
_MOST = 10_000


def name_grant(grant_id: str) -> str:
    """What a caller stands on who came by a grant; see ``Caller.stands_on``."""
    return f"grant:{grant_id}"


def name_service(client_id: str) -> str:
    """What a service stands on."""
    return f"service:{client_id}"


class Standing:
    """Says whether something stands that may end at any moment, without a read for each request.

    Args:
        ask: asks the store.
        clock: tells the time.
        endings: is told what ends here.
    """

    def __init__(self, ask: Callable[[str], Awaitable[bool]], clock: Clock, endings: Endings) -> None:
        self._ask = ask
        self._clock = clock
        self._endings = endings
        self._seen: Bounded[str, datetime] = Bounded(_MOST)

    async def stands(self, name: str) -> bool:
        """Whether it stands, or did half a second ago.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now, ended = self._clock(), self._endings.count
        seen = self._seen.get(name)
        if seen is not None and seen <= now < seen + REMEMBERED:
            return True
        if not await self._ask(name):
            self._seen.pop(name, None)
            return False
        if ended == self._endings.count:  # else it may have ended here since the store was asked
            self._seen[name] = now
        return True

    def forget(self, name: str) -> None:
        """This worker ended it: that counts at once."""
        self._seen.pop(name, None)
        self._endings.note()

    def clear(self) -> None:
        """This worker ended some: that counts at once."""
        self._seen.clear()
        self._endings.note()


class AccessTokenIdentity:
    """Knows callers by their access tokens."""

    schemes = frozenset({"bearer"})
    reads = frozenset({"authorization"})

    def __init__(
        self,
        tokens: AccessTokens,
        grants: Standing,
        clients: Standing,
        revocations: SessionRevocations,
        *,
        issuer: str,
    ) -> None:
        self._tokens = tokens
        self._grants = grants
        self._clients = clients
        self._revocations = revocations
        self.issuer = issuer
        self.recognizes = tokens.recognizes

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say whose token came; None where none of ours did.

        Raises:
            NotSignedIn: it does not hold, has ended, or is for another resource.
            BackendUnavailable: the store cannot be asked.
        """
        presented = parse_authorization(evidence.headers)
        if presented is None or presented.scheme not in self.schemes or not self.recognizes(presented.credentials):
            return None
        if evidence.resource is None:
            raise NotSignedIn("the access token is for an MCP endpoint, and this is none")
        try:
            token = await self._tokens.prove(presented.credentials, resource=evidence.resource)
        except (jwt.InvalidTokenError, InvalidRequest) as exc:
            why = explain_jwt(exc) if isinstance(exc, jwt.InvalidTokenError) else exc.detail
            raise NotSignedIn(f"the access token was refused: {why}") from exc
        await self._check_stands(token)
        via = VIA_ACCESS_TOKEN if token.grant_id else VIA_SERVICE
        return Caller(
            token.email,
            via=via,
            proves_intent=True,
            expires_at=token.expires_at,
            client=token.client_id,
            stands_on=name_grant(token.grant_id) if token.grant_id else name_service(token.client_id),
        )

    async def _check_stands(self, token: AccessToken) -> None:
        if token.grant_id:
            stands = await self._grants.stands(token.grant_id)
        else:
            stands = await self._clients.stands(f"{token.client_id}\n{token.email}")
        if not stands or await self._revocations.cover(token.email, token.issued_at.timestamp()):
            raise NotSignedIn("the access token was ended", remedy="Sign in again with the application.")
