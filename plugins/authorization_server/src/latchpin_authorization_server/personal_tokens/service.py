"""Makes, lists, ends and finds personal access tokens."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from latchpin.contracts import Context
from latchpin.errors import Conflict, Forbidden, InvalidRequest, NotFound, RecordConflict
from latchpin.model import Caller
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.facts import PERSONAL_TOKEN_ENDED, PERSONAL_TOKEN_MADE
from latchpin_authorization_server.identity import REMEMBERED
from latchpin_authorization_server.personal_tokens.records import PERSONAL_TOKENS, PersonalTokenRecords
from latchpin_authorization_server.personal_tokens.token import (
    PersonalToken,
    PresentedToken,
    make_token,
    name_personal_token,
)
from latchpin_authorization_server.server import AuthorizationServer, open_server
from latchpin_authorization_server.shown_text import one_line

__all__ = ["DEFAULT_DAYS", "MOST", "PersonalTokens", "open_personal_tokens"]

DEFAULT_DAYS = 90
"""How long one lasts where nobody says otherwise, unless the setting allows less."""
MOST = 50
"""Of one person."""
USE_NOTED_EVERY = timedelta(hours=1)

_LONGEST_NAME = 80
_MOST_SEEN = 4096


class PersonalTokens:
    """One process's personal access tokens.

    Args:
        records: where they are kept.
        server: has the settings, the clock, and what is told.
    """

    def __init__(self, records: PersonalTokenRecords, server: AuthorizationServer) -> None:
        self._records = records
        self._server = server
        self._seen: Bounded[str, tuple[PersonalToken, datetime]] = Bounded(_MOST_SEEN)

    @property
    def default_days(self) -> int:
        """How long one lasts where nobody says otherwise."""
        return min(DEFAULT_DAYS, self.max_days)

    @property
    def max_days(self) -> int:
        """PERSONAL_TOKEN_MAX_DAYS."""
        return self._server.settings.personal_token_max_days

    async def create(
        self, email: str, *, name: str, resources: tuple[str, ...] = (), days: float | None = None, actor: str
    ) -> tuple[PersonalToken, str]:
        """Make one, and give its text, which nobody can read again.

        Args:
            email: whose it is.
            name: what its person calls it.
            resources: the URLs of the MCP endpoints that take it; empty: all that the person may use.
            days: how long it lasts; None: ``default_days``.
            actor: the address of who makes it.

        Raises:
            InvalidRequest: the name or the lifetime does not hold, or no such token is taken here.
            Conflict: the person has too many.
            NotSignedIn: the person was signed out a moment ago.
            BackendUnavailable: the store cannot be asked.
        """
        self._server.check_on()
        if not self._server.settings.personal_tokens_enabled:
            raise InvalidRequest(
                "this gateway takes no personal access tokens", remedy="PERSONAL_TOKENS_ENABLED=true switches them on."
            )
        now = self._server.clock()  # before it is asked, or an end that comes in between would be older than the token
        await self._server.check_not_signed_out(email)
        days = self.default_days if days is None else days
        if not 0 < days <= self.max_days:
            raise InvalidRequest(f"a personal access token lasts at most {self.max_days} days and more than none")
        if await self._records.count(email) >= MOST:
            raise Conflict(f"a person has at most {MOST} personal access tokens", remedy="End one that is not needed.")
        token, text = make_token(
            email=email,
            name=_parse_name(name),
            resources=resources,
            now=now,
            expires_at=now + timedelta(days=days),
        )
        stored = await self._records.put(token)
        await self._server.activity.tell(PERSONAL_TOKEN_MADE, actor=actor, subject=email, token_id=token.id)
        return stored, text

    async def list(self, caller: Caller, *, user: str | None = None) -> builtins.list[PersonalToken]:
        """One person's, the newest first. Without ``user``: everybody's for administrators, for others their own.

        Raises:
            Forbidden: somebody else's were asked for, and the caller is no administrator.
            BackendUnavailable: the store cannot be asked.
        """
        if not caller.is_admin:
            if user not in {None, caller.email}:
                raise Forbidden("only administrators may see other people's personal access tokens")
            user = caller.email
        return [token async for token in self._records.list(user)]

    async def end(self, token_id: str, caller: Caller) -> PersonalToken:
        """End one, and what is under way for it: at once here, within a second at other workers.

        Raises:
            NotFound: there is none of that id, or it is not the caller's to end.
            BackendUnavailable: the store cannot be asked.
        """
        token = await self._records.get(token_id)
        if token is None or (token.email != caller.email and not caller.is_admin):
            raise NotFound("there is no such personal access token")
        await self._server.end_proof(name_personal_token(token_id))
        await self._end(token, caller.email)
        return token

    async def end_all_of(self, email: str, actor: str) -> None:
        """End all of one person's."""
        async for token in self._records.list(email):
            await self._end(token, actor)

    async def end_all_covered(self, actor: str) -> None:
        """End those that the end of their people's sessions covers."""
        async for token in self._records.list():
            if await self._server.revocations.cover(token.email, token.created_at.timestamp()):
                await self._end(token, actor)

    async def find(self, presented: PresentedToken) -> PersonalToken | None:
        """The token that was presented; None if there is none, or it was ended more than half a second ago.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now, ended = self._server.clock(), self._server.endings.count
        token, seen_at = self._seen.get(presented.id, (None, now))
        if token is None or not seen_at <= now < seen_at + REMEMBERED:
            token = await self._records.get(presented.id)
            if token is None:
                self._seen.pop(presented.id, None)
                return None
            self._see(token, now, ended)
        return token if token.has_secret(presented.secret) and now < token.expires_at else None

    async def note_use(self, token: PersonalToken) -> None:
        """Remember that it was used; written at most once an hour."""
        now, ended = self._server.clock(), self._server.endings.count
        if token.used_at is not None and now - token.used_at < USE_NOTED_EVERY:
            return
        with suppress(RecordConflict):  # another worker notes it at the same moment, or it was ended
            written = await self._records.put(replace(token, used_at=now))
            self._see(written, now, ended)

    def _see(self, token: PersonalToken, now: datetime, ended: int) -> None:
        """Remember what stood at ``now``, when this worker had ended so much: not what it may have ended since."""
        if ended == self._server.endings.count:
            self._seen[token.id] = (token, now)

    async def _end(self, token: PersonalToken, actor: str) -> None:
        ended = await self._records.delete(token.id)
        self._seen.pop(token.id, None)
        self._server.endings.note()
        if ended:
            await self._server.activity.tell(PERSONAL_TOKEN_ENDED, actor=actor, subject=token.email, token_id=token.id)


async def open_personal_tokens(context: Context) -> PersonalTokens:
    """The process's personal access tokens."""
    server = await open_server(context)

    @asynccontextmanager
    async def opener() -> AsyncIterator[PersonalTokens]:
        yield PersonalTokens(PersonalTokenRecords(context.collection(PERSONAL_TOKENS)), server)

    return await context.shared("personal-tokens", opener)


def _parse_name(text: str) -> str:
    name = one_line(text)
    if not name or len(name) > _LONGEST_NAME:
        raise InvalidRequest(f"a personal access token has a name of 1 to {_LONGEST_NAME} characters")
    return name
