"""What people allowed before: one client, one redirect URI, one resource. A port on loopback makes no difference."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import timedelta

from latchpin.contracts import Clock, Collection
from latchpin.errors import RecordConflict
from latchpin.model import CollectionSpec, Document, Span
from latchpin.sdk.identity import SessionRevocations
from latchpin.sdk.stores import scan_all

from latchpin_authorization_server.redirect_uris import without_port

__all__ = ["CONSENTS", "Consents"]

CONSENTS = CollectionSpec("authorization_consents", ("person",))
REMEMBERED = timedelta(days=90)


class Consents:
    """Remembers them."""

    def __init__(self, documents: Collection, clock: Clock, revocations: SessionRevocations) -> None:
        self._documents = documents
        self._clock = clock
        self._revocations = revocations

    async def remember(self, email: str, client_id: str, redirect_uri: str, resource: str) -> None:
        """The person allowed it now."""
        body = {"client_id": client_id, "redirect_uri": redirect_uri, "resource": resource}
        held = await self._documents.get(_id(email, client_id, redirect_uri, resource))
        document = Document(
            _id(email, client_id, redirect_uri, resource),
            body,
            {"person": email},
            0 if held is None else held.revision,
            self._clock() + REMEMBERED,
        )
        with suppress(RecordConflict):  # the same person allows the same thing in another window
            await self._documents.put(document)

    async def has(self, email: str, client_id: str, redirect_uri: str, resource: str) -> bool:
        """Whether the person allowed it before, did not take it back, and was not signed out everywhere since."""
        held = await self._documents.get(_id(email, client_id, redirect_uri, resource))
        if held is None or held.expires_at is None:
            return False
        allowed_at = held.expires_at - REMEMBERED
        return not await self._revocations.cover(email, allowed_at.timestamp())

    async def forget(self, email: str, client_id: str | None = None, *, resource: str | None = None) -> None:
        """The person takes back what they allowed a client, or all clients; with ``resource``: there alone."""
        async for held in scan_all(self._documents, "person", Span.only(email)):
            if client_id in {None, held.body["client_id"]} and resource in {None, held.body["resource"]}:
                await self._documents.delete(held.id)

    async def forget_all(self) -> None:
        """What anybody allowed does not count any more: everybody is asked again."""
        async for held in scan_all(self._documents):
            await self._documents.delete(held.id)


def _id(email: str, client_id: str, redirect_uri: str, resource: str) -> str:
    what = json.dumps([email, client_id, without_port(redirect_uri), resource])
    return hashlib.sha256(what.encode()).hexdigest()
