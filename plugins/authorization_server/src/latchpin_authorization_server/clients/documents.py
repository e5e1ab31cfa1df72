"""Client ID Metadata Documents: fetched when a signed-in person brings one, and kept for all workers.

Rules against becoming somebody's tool: only a signed-in person, or a client that somebody allowed, makes a document be
fetched; one URL at most every ``SHORTEST``, whether it failed or not; and few in a minute, of one host and in all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from latchpin.contracts import Clock, Collection, Upstream
from latchpin.errors import RecordConflict, UpstreamError
from latchpin.model import CollectionSpec, Document, Span, index_time
from latchpin.sdk.workers import SharedTasks

from latchpin_authorization_server.clients.client import Client, read_client
from latchpin_authorization_server.clients.document import (
    LONGEST,
    SHORTEST,
    host_of_document,
    is_document_url,
    parse_document,
    read_lifetime,
)
from latchpin_authorization_server.errors import ClientDocumentRefused
from latchpin_authorization_server.settings import AuthorizationServerSettings

__all__ = ["DOCUMENTS", "ClientDocuments", "KeptDocument"]

DOCUMENTS = CollectionSpec("authorization_documents", ("asked", "host"), disposable=True)
"""``asked`` is when the document was last asked for; ``host`` goes on with that."""

FAILED = timedelta(seconds=30)
"""How long a failure stands."""
SERVES = timedelta(days=7)
"""How long a document that cannot be fetched anew still serves at the token endpoint: clients outlive their outages."""
_FORGOTTEN = timedelta(minutes=10)
"""When a document is forgotten that never held."""
WINDOW = timedelta(minutes=1)
MOST_OF_HOST = 30
"""Documents of one host that are asked for in a minute."""
MOST = 120
"""Documents that are asked for in a minute."""
MOST_KEPT = 10_000
_LOOKED_AT = 20
"""Of the documents that were asked for longest ago, where one has to make room."""

_log = logging.getLogger("latchpin.authorization-server")


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """What is known of a document.

    Attributes:
        id: its URL.
        client: what it said when it last held; None if it never did.
        held_at: when that was.
        asked_at: when it was last asked for.
        fresh_until: until then it is not asked again without need.
        failure: why it did not hold when it was last asked for; ``""`` if it did.
        revision: of the document in the store, for compare and swap.
    """

    id: str
    client: Client | None
    held_at: datetime | None
    asked_at: datetime
    fresh_until: datetime
    failure: str = ""
    revision: int = 0


class ClientDocuments:
    """Finds clients by their documents.

    Args:
        kept: where they are kept.
        upstream: the guarded way to them.
        clock: tells the time.
        settings: the plugin's.
        private: OAUTH_ALLOW_PRIVATE_NETWORKS.
        is_allowed: whether somebody allowed a client something that still stands.
    """

    def __init__(
        self,
        kept: Collection,
        upstream: Upstream,
        clock: Clock,
        settings: AuthorizationServerSettings,
        *,
        private: bool,
        is_allowed: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._kept = kept
        self._upstream = upstream
        self._clock = clock
        self._settings = settings
        self._private = private
        self._is_allowed = is_allowed
        self._tasks: SharedTasks[str, KeptDocument] = SharedTasks()

    async def close(self) -> None:
        """Let what is being fetched be kept."""
        await self._tasks.close()

    def takes(self, client_id: str) -> bool:
        """Whether a ``client_id`` is a document's, and documents are taken here."""
        return self._settings.client_metadata_documents_enabled and is_document_url(client_id, private=self._private)

    async def meet(self, client_id: str, redirect_uri: str | None) -> Client:
        """The client that a signed-in person's browser brings; a document that is out of date is fetched.

        One that lacks the redirect URI may have changed: it is fetched anew.

        Raises:
            ClientDocumentRefused: it cannot be fetched, or does not hold.
            BackendUnavailable: the store cannot be asked.
        """
        now, known = self._clock(), await self._get(client_id)
        if known is None or not self._does(known, redirect_uri, now):
            known = await self._ask(client_id)
        if known.client is None or known.failure:
            raise ClientDocumentRefused(f"{client_id}: {known.failure}")
        return known.client

    async def find(self, client_id: str) -> Client | None:
        """The client that a program says it is: no document is fetched of which nobody allowed anything.

        One that cannot be fetched anew serves on for ``SERVES``.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        now, known = self._clock(), await self._get(client_id)
        if (known is None or now >= known.fresh_until) and await self._is_allowed(client_id):
            with suppress(ClientDocumentRefused):  # too many are asked for
                known = await self._ask(client_id)
        if known is None or known.held_at is None or now - known.held_at > SERVES:
            return None
        return known.client

    def _does(self, known: KeptDocument, redirect_uri: str | None, now: datetime) -> bool:
        """Whether what is kept need not be asked for again."""
        if now >= known.fresh_until:
            return False
        fits = known.client is None or known.client.find_redirect_uri(redirect_uri) is not None
        return bool(known.failure) or fits or now - known.asked_at < SHORTEST

    async def _ask(self, client_id: str) -> KeptDocument:
        return await self._tasks.run(client_id, partial(self._renew, client_id))

    async def _renew(self, client_id: str) -> KeptDocument:
        """Fetch and keep it. Raises ClientDocumentRefused if too many are asked for."""
        known, now = await self._get(client_id), self._clock()
        await self._check_pace(client_id, now)
        if known is None:
            await self._make_room()
        try:
            client, lifetime = await self._fetch(client_id)
            renewed = KeptDocument(client_id, client, now, now, now + lifetime)
        except ValueError as exc:
            _log.info("The client metadata document %s was refused: %s", client_id, exc)
            renewed = KeptDocument(client_id, None, None, now, now + FAILED, str(exc))
            if known is not None:
                renewed = replace(renewed, client=known.client, held_at=known.held_at)
        try:
            return await self._put(replace(renewed, revision=0 if known is None else known.revision))
        except RecordConflict:  # another worker asked at the same moment
            return renewed

    async def _fetch(self, client_id: str) -> tuple[Client, timedelta]:
        """Raises ValueError with what people may read: not what stands at which address of ours."""
        try:
            reply = await self._upstream.send("GET", client_id, headers={"accept": "application/json"})
        except UpstreamError as exc:
            _log.info("A client metadata document could not be fetched: %s", exc.detail)
            raise ValueError("it cannot be fetched") from None
        client = parse_document(reply, client_id, schemes=self._settings.client_redirect_schemes)
        return client, read_lifetime(reply)

    async def _check_pace(self, client_id: str, now: datetime) -> None:
        since, host = index_time(now - WINDOW), host_of_document(client_id)
        of_host = await self._kept.count("host", Span(f"{host}\n{since}", f"{host}\n\x7f"))
        if of_host >= MOST_OF_HOST or await self._kept.count("asked", Span(since)) >= MOST:
            raise ClientDocumentRefused("too many documents were asked for within a minute; try again soon")

    async def _make_room(self) -> None:
        """Where very many are kept, let one go that nobody allows anything. Raises ClientDocumentRefused if none is."""
        if await self._kept.count() < MOST_KEPT:
            return
        for held in await self._kept.scan("asked", limit=_LOOKED_AT):
            if not await self._is_allowed(held.id):
                await self._kept.delete(held.id)
                return
        raise ClientDocumentRefused("too many documents are kept")

    async def _get(self, client_id: str) -> KeptDocument | None:
        held = await self._kept.get(client_id)
        return None if held is None else _parse(held)

    async def _put(self, known: KeptDocument) -> KeptDocument:
        written = await self._kept.put(_dump(known))
        return replace(known, revision=written.revision)


def _dump(known: KeptDocument) -> Document:
    asked = index_time(known.asked_at)
    body = {
        "client": None if known.client is None else asdict(known.client),
        "held_at": None if known.held_at is None else known.held_at.isoformat(),
        "asked_at": known.asked_at.isoformat(),
        "fresh_until": known.fresh_until.isoformat(),
        "failure": known.failure,
    }
    expires_at = known.asked_at + _FORGOTTEN if known.held_at is None else known.held_at + SERVES + LONGEST
    index = {"asked": asked, "host": f"{host_of_document(known.id)}\n{asked}"}
    return Document(known.id, body, index, known.revision, expires_at)


def _parse(held: Document) -> KeptDocument:
    body = held.body
    return KeptDocument(
        held.id,
        None if body["client"] is None else read_client(body["client"]),
        None if body["held_at"] is None else datetime.fromisoformat(body["held_at"]),
        datetime.fromisoformat(body["asked_at"]),
        datetime.fromisoformat(body["fresh_until"]),
        body["failure"],
        held.revision,
    )
