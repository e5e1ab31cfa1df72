"""Callers with an access token of the authorization server: for exactly the resource that is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

import jwt
from latchpin.contracts import Clock
from latchpin.errors import InvalidRequest, NotSignedIn
from latchpin.model import VIA_ACCESS_TOKEN, Caller, Evidence
from latchpin.sdk.identity import SessionRevocations, explain_jwt, parse_authorization
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.grants.records import GrantRecords
from latchpin_authorization_server.tokens.access_tokens import AccessToken, AccessTokens

__all__ = ["AccessTokenIdentity", "StandingGrants"]

REMEMBERED = timedelta(seconds=1)
"""How long a worker goes on without asking the store again whether a grant stands: so late may an end come here."""
_MOST = 10_000


class StandingGrants:
    """Says whether grants stand, without a read for each request."""

    def __init__(self, records: GrantRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._seen: Bounded[str, datetime] = Bounded(_MOST)

    async def stands(self, grant_id: str) -> bool:
        """Whether it stands, or did within the last second.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now = self._clock()
        seen = self._seen.get(grant_id)
        if seen is not None and seen <= now < seen + REMEMBERED:
            return True
        if await self._records.get(grant_id) is None:
            self._seen.pop(grant_id, None)
            return False
        self._seen[grant_id] = now
        return True

    def forget(self, grant_id: str) -> None:
        """This worker ended it: that counts at once."""
        self._seen.pop(grant_id, None)


class AccessTokenIdentity:
    """Knows callers by their access tokens."""

    schemes = frozenset({"bearer"})

    def __init__(
        self, tokens: AccessTokens, grants: StandingGrants, revocations: SessionRevocations, *, issuer: str
    ) -> None:
        self._tokens = tokens
        self._grants = grants
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
        return Caller(token.email, via=VIA_ACCESS_TOKEN, proves_intent=True)

    async def _check_stands(self, token: AccessToken) -> None:
        ended = await self._revocations.cover(token.email, token.issued_at.timestamp())
        if ended or (token.grant_id and not await self._grants.stands(token.grant_id)):
            raise NotSignedIn("the access token was ended", remedy="Sign in again with the application.")
