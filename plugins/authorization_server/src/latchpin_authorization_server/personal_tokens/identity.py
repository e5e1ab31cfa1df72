"""Callers with a personal access token, at the MCP endpoints that it is for."""

from __future__ import annotations

from latchpin.errors import NotSignedIn
from latchpin.model import Caller, Evidence
from latchpin.sdk.identity import SessionRevocations, parse_authorization

from latchpin_authorization_server.personal_tokens.service import PersonalTokens
from latchpin_authorization_server.personal_tokens.token import PREFIX, name_personal_token, parse_token

__all__ = ["VIA", "PersonalTokenIdentity"]

VIA = "personal-token"


class PersonalTokenIdentity:
    """Knows callers by their personal access tokens."""

    schemes = frozenset({"bearer"})
    reads = frozenset({"authorization"})

    def __init__(self, tokens: PersonalTokens, revocations: SessionRevocations) -> None:
        self._tokens = tokens
        self._revocations = revocations

    def recognizes(self, credentials: str) -> bool:
        """Whether a text says of itself that it is one; it is not proven by that."""
        return credentials.startswith(PREFIX)

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say whose token came; None where none did.

        Raises:
            NotSignedIn: it is unknown, has ended, or is for other endpoints.
            BackendUnavailable: the store cannot be asked.
        """
        authorization = parse_authorization(evidence.headers)
        if authorization is None or authorization.scheme not in self.schemes:
            return None
        if not self.recognizes(authorization.credentials):
            return None
        if evidence.resource is None:
            raise NotSignedIn("a personal access token is for MCP endpoints, and this is none")
        presented = parse_token(authorization.credentials)
        token = None if presented is None else await self._tokens.find(presented)
        if token is None or await self._revocations.cover(token.email, token.created_at.timestamp()):
            raise NotSignedIn("the personal access token is unknown or has ended", remedy="Make another one.")
        if not token.is_for(evidence.resource):
            raise NotSignedIn("the personal access token is for other MCP endpoints")
        await self._tokens.note_use(token)
        return Caller(
            token.email,
            via=VIA,
            proves_intent=True,
            expires_at=token.expires_at,
            client=token.id,
            stands_on=name_personal_token(token.id),
        )
