"""The personal access tokens that stand, a document each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime

from latchpin.contracts import Collection
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.stores import scan_all

from latchpin_authorization_server.personal_tokens.token import PersonalToken

__all__ = ["PERSONAL_TOKENS", "PersonalTokenRecords"]

PERSONAL_TOKENS = CollectionSpec("authorization_personal_tokens", ("person",))
"""The index goes on with the time of creation."""


class PersonalTokenRecords:
    """Keeps personal access tokens."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    async def put(self, token: PersonalToken) -> PersonalToken:
        """Create or change; raises RecordConflict if another revision is stored."""
        written = await self._documents.put(_dump(token))
        return replace(token, revision=written.revision)

    async def get(self, token_id: str) -> PersonalToken | None:
        """Look. None if there is none, or it has ended."""
        held = await self._documents.get(token_id)
        return None if held is None else _parse(held)

    async def delete(self, token_id: str) -> bool:
        """End it. False if it had ended."""
        return await self._documents.delete(token_id)

    async def count(self, email: str) -> int:
        """How many one person has."""
        return await self._documents.count("person", Span.prefix(f"{email}\n"))

    async def list(self, email: str | None = None) -> AsyncIterator[PersonalToken]:
        """One person's, the newest first; without ``email`` everybody's, by person."""
        within = Span() if email is None else Span.prefix(f"{email}\n")
        async for held in scan_all(self._documents, "person", within, newest_first=True):
            yield _parse(held)


def _dump(token: PersonalToken) -> Document:
    body = asdict(token)
    for name in ("id", "revision", "expires_at"):
        del body[name]
    body["created_at"] = token.created_at.isoformat()
    body["used_at"] = None if token.used_at is None else token.used_at.isoformat()
    index = {"person": f"{token.email}\n{index_time(token.created_at)}"}
    return Document(token.id, body, index, token.revision, token.expires_at)


def _parse(held: Document) -> PersonalToken:
    body = dict(held.body)
    if held.expires_at is None:
        raise ValueError(f"the personal access token {held.id} has no end")
    used_at = body["used_at"]
    body |= {
        "resources": tuple(body["resources"]),
        "created_at": datetime.fromisoformat(body["created_at"]),
        "used_at": None if used_at is None else datetime.fromisoformat(used_at),
    }
    return PersonalToken(id=held.id, expires_at=held.expires_at, revision=held.revision, **body)
