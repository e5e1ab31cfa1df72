"""Revocations that are owed: tokens of people who are out, taken back at their servers however long that takes.

Each is one document, written before the token goes here, and the token one of its own, sealed. Any worker tries those
that are due; one that dies in the middle leaves it due again. What has come to an end stays to be read for a while,
without the token.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from latchpin.errors import RecordConflict, Unsealable
from latchpin.model import Document, Gateway, Span, StoredToken, index_time
from latchpin.sdk.gateway import Application, Revocation, open_token
from latchpin.sdk.identity import is_out
from latchpin.sdk.stores import scan_all

from latchpin_offboarding.records import OWED, OWED_TOKENS

__all__ = ["Owed", "OwedRevocations"]

SETTLES = timedelta(seconds=3)
"""After so long nothing new can come: what another worker still took from a person who is out is taken back then."""
GIVES_UP = timedelta(days=30)
"""After so long a token is not tried any more."""
SHOWN = timedelta(days=90)
"""How long an end is shown."""
_TRIES_FOR = timedelta(minutes=2)
"""How long one try may take, at most: after this another worker tries it."""
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(hours=1)
"""Before the second try, and between two tries at most."""
_AT_ONCE = 8
_PAGE = 200

State = Literal["owed", "revoked", "not revoked"]


@dataclass(frozen=True, slots=True)
class Owed:
    """A token that is to be revoked, or was.

    Attributes:
        email: whose it was.
        since: when it was deleted here.
        due: when it is tried next; None: not any more.
        gateway_id: ``""``: it is no token, but the last look at what the person has.
        account: its label.
        tries: how often the server was asked.
        answer: what it said last.
    """

    id: str
    email: str
    since: datetime
    due: datetime | None
    gateway_id: str = ""
    gateway_name: str = ""
    account: str = ""
    issuer: str | None = None
    client_id: str = ""
    hint: Literal["access_token", "refresh_token"] = "refresh_token"
    state: State = "owed"
    tries: int = 0
    answer: str = ""
    revision: int = 0

    def describe(self) -> dict[str, Any]:
        """As JSON, without the token."""
        return {
            "app_user_email": self.email,
            "gateway_id": self.gateway_id,
            "gateway_name": self.gateway_name,
            "account": self.account,
            "state": self.state,
            "tries": self.tries,
            "answer": self.answer,
            "since": self.since.isoformat(),
            "next_try_at": self.due.isoformat() if self.due else None,
        }

    def after(self, revocation: Revocation, now: datetime) -> Owed:
        """What it is after one more try. Pure."""
        tries = self.tries + 1
        if revocation.done or not revocation.again or now >= self.since + GIVES_UP:
            state: State = "revoked" if revocation.done else "not revoked"
            return replace(self, state=state, tries=tries, answer=revocation.answer, due=None)
        pause = min(_FIRST * 2 ** min(tries - 1, 12), _LONGEST)
        return replace(self, tries=tries, answer=revocation.answer, due=now + pause)


class OwedRevocations:
    """Keeps them, and works them off.

    Args:
        application: the gateway, whose ``revoker`` asks the servers.
    """

    def __init__(self, application: Application) -> None:
        services = application.services
        self._services = services
        self._kept = services.context.collection(OWED)
        self._sealed = services.context.collection(OWED_TOKENS)
        self._clock = services.clock
        self._revoker = application.revoker

    async def take_from(self, email: str) -> list[Owed]:
        """Delete every token of one person here, and owe its revocation.

        Raises:
            BackendUnavailable: the store cannot be asked; do it again.
        """
        records = self._services.records
        taken = []
        for stored in await records.tokens.list(app_user_email=email):
            gateway = await records.gateways.get(stored.gateway_id)
            if gateway is not None:
                taken.append(await self._owe(gateway, stored))
            await records.tokens.delete(stored.gateway_id, email, stored.label)
            await self._services.tools.replace(stored.gateway_id, email, {}, stored.label)
        return taken

    async def look_again_at(self, email: str) -> None:
        """See to it that the person's tokens are taken once more in a moment, whatever becomes of this worker."""
        now = self._clock()
        await self._put(Owed(f"look-{secrets.token_hex(16)}", email, since=now, due=now + SETTLES))

    async def list(self, email: str | None = None) -> list[Owed]:
        """What is owed, and what came to an end lately; the newest first. Of everybody, or of one person."""
        index, span = ("id", Span()) if email is None else ("person", Span.only(_person(email)))
        found = [_read(document) async for document in scan_all(self._kept, index, span)]
        return sorted((each for each in found if each.gateway_id), key=lambda each: each.since, reverse=True)

    async def work(self) -> int:
        """Try what is due; return how many were tried.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        due = await self._kept.scan("due", Span(end=index_time(self._clock()) + "\x01"), limit=_PAGE)
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def work(document: Document) -> bool:
            async with at_once:
                return await self._try(_read(document))

        tried = await asyncio.gather(*map(work, due), return_exceptions=True)
        for each in tried:
            if isinstance(each, BaseException):
                raise each
        return len([each for each in tried if each])

    # -- one ------------------------------------------------------------------------------------------------

    async def _try(self, owed: Owed) -> bool:
        """One try of who takes it first."""
        now = self._clock()
        try:
            ours = await self._put(replace(owed, due=now + _TRIES_FOR))
        except RecordConflict:
            return False
        if not ours.gateway_id:
            if await is_out(self._services.kept, ours.email):
                await self.take_from(ours.email)
            await self._kept.delete(ours.id)
            return True
        after = ours.after(await self._ask(ours), self._clock())
        with suppress(RecordConflict):  # it took so long that another worker tried it
            await self._put(after)
            if after.due is None:
                await self._sealed.delete(after.id)
        return True

    async def _ask(self, owed: Owed) -> Revocation:
        gateway = await self._services.records.gateways.get(owed.gateway_id)
        if gateway is None:
            return _stays("The gateway was removed, and the token cannot be revoked")
        try:
            held = await self._sealed.get(owed.id)
            token = None if held is None else _take_out(owed, str(held.body["token"]))
        except Unsealable:
            token = None
        if token is None:
            return _stays("No key opens the token")
        return await self._revoker.revoke_text(gateway, token, owed.hint, issuer=owed.issuer, client_id=owed.client_id)

    async def _owe(self, gateway: Gateway, stored: StoredToken) -> Owed:
        """Keep what a try needs, before the token is deleted here."""
        now = self._clock()
        owed = Owed(
            id=secrets.token_hex(16),
            email=stored.app_user_email,
            since=now,
            due=now,
            gateway_id=gateway.id,
            gateway_name=gateway.name,
            account=stored.label,
            issuer=stored.issuer,
            client_id=stored.client_id,
        )
        never = self._revoker.why_never(stored)
        try:
            opened = open_token(self._services.cipher, stored)
        except Unsealable:
            never = _stays("No key opens the token")
        if never is not None:
            return await self._put(replace(owed, state="not revoked", answer=never.answer, due=None))
        if (token := opened.refresh_token) is None:
            token, owed = opened.access_token, replace(owed, hint="access_token")
        sealed = Document(owed.id, {"token": _put_in(owed, token)}, expires_at=now + GIVES_UP + timedelta(days=1))
        await self._sealed.put(sealed)
        return await self._put(owed)

    async def _put(self, owed: Owed) -> Owed:
        expires_at = None if owed.due is not None else self._clock() + SHOWN
        stored = await self._kept.put(Document(owed.id, _write(owed), _fields(owed), owed.revision, expires_at))
        return replace(owed, revision=stored.revision)


def _stays(why: str) -> Revocation:
    return Revocation(done=False, answer=f"{why}; it stays valid at the server until it expires.")


def _put_in(owed: Owed, token: str) -> str:
    """The token with the server that it is for, sealed as one: it is shown to no other."""
    return json.dumps([*_for_whom(owed), token])


def _take_out(owed: Owed, text: str) -> str | None:
    """The token; None: it was for another server, and somebody who may write to the store has changed which."""
    try:
        *whom, token = json.loads(text)
    except (TypeError, ValueError):
        return None
    return str(token) if whom == _for_whom(owed) else None


def _for_whom(owed: Owed) -> list[str | None]:
    return [owed.gateway_id, owed.email, owed.issuer]


def _fields(owed: Owed) -> Mapping[str, str]:
    fields = {"person": _person(owed.email)}
    return fields if owed.due is None else {**fields, "due": index_time(owed.due)}


def _write(owed: Owed) -> dict[str, Any]:
    body = {name: getattr(owed, name) for name in Owed.__slots__ if name not in {"id", "revision", "since", "due"}}
    return body | {"since": owed.since.isoformat(), "due": owed.due.isoformat() if owed.due else None}


def _read(document: Document) -> Owed:
    body = dict(document.body)
    since, due = datetime.fromisoformat(body.pop("since")), body.pop("due")
    return Owed(
        id=document.id,
        since=since,
        due=None if due is None else datetime.fromisoformat(due),
        revision=document.revision,
        **body,
    )


def _person(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
