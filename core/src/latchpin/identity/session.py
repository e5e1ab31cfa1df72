"""Callers with the session cookie that a login link gave them."""

from __future__ import annotations

import asyncio

from latchpin.contracts import KeyValueRecords
from latchpin.errors import InvalidRequest
from latchpin.identity.revocations import SessionRevocations
from latchpin.identity.sessions import SESSION, parse_session, session_cookie_name, was_ended
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.model import Caller, Evidence

__all__ = ["SessionIdentity"]


class SessionIdentity:
    """Reads the session cookie.

    Args:
        signed_tokens: prove tickets.
        kept: has a note of each session that was ended.
        revocations: knows whose sessions were ended.
        base_url: BASE_URL, by which the cookie is named.
    """

    reads = frozenset({"cookie"})

    def __init__(
        self, signed_tokens: SignedTokens, kept: KeyValueRecords, revocations: SessionRevocations, *, base_url: str
    ) -> None:
        self._signed_tokens = signed_tokens
        self._kept = kept
        self._revocations = revocations
        self._cookie = session_cookie_name(base_url)

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say whose session it is. One that has expired, was ended or is not ours counts as none.

        A stale cookie is the normal end of a session, and other identities may still hold: it is never
        an error.

        Raises:
            BackendUnavailable: the store cannot be asked whether the session was ended.
        """
        ticket = evidence.cookies.get(self._cookie)
        if not ticket:
            return None
        try:
            session = parse_session(await self._signed_tokens.verify(SESSION, ticket))
        except InvalidRequest:
            return None
        ended = await asyncio.gather(
            was_ended(self._kept, session.id),
            self._revocations.cover(session.email, session.issued_at.timestamp()),
        )
        if any(ended):
            return None
        return Caller(
            session.email,
            is_admin=session.is_admin,
            via="session",
            session_id=session.id,
            expires_at=session.expires_at,
        )
