"""Finds a client by its ``client_id``, wherever it comes from."""

from __future__ import annotations

from latchpin_authorization_server.clients.assertions import ClientAssertions
from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.documents import ClientDocuments
from latchpin_authorization_server.clients.records import ClientRecords

__all__ = ["ClientDirectory"]

_LONGEST = 255


class ClientDirectory:
    """Knows all clients.

    Args:
        records: those that are kept here.
        documents: those that publish a document.
        assertions: proves those that sign assertions.
    """

    def __init__(self, records: ClientRecords, documents: ClientDocuments, assertions: ClientAssertions) -> None:
        self._records = records
        self._documents = documents
        self.assertions = assertions

    async def find(self, client_id: str) -> Client | None:
        """The client; None if nobody is called that. No document is fetched of which nobody allowed anything.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if not _is_id(client_id):
            return None
        if self._documents.takes(client_id):
            return await self._documents.find(client_id)
        stored = await self._records.get(client_id)
        return None if stored is None else stored.client

    async def meet(self, client_id: str, redirect_uri: str | None) -> Client | None:
        """The client that a signed-in person's browser brings, whose document may be fetched; None if there is none.

        Args:
            client_id: as it came.
            redirect_uri: as it came, None if none did.

        Raises:
            ClientDocumentRefused: it is the URL of a document, which cannot be fetched or does not hold.
            BackendUnavailable: the store cannot be asked.
        """
        if _is_id(client_id) and self._documents.takes(client_id):
            return await self._documents.meet(client_id, redirect_uri)
        return await self.find(client_id)


def _is_id(client_id: str) -> bool:
    return 0 < len(client_id) <= _LONGEST and client_id.isascii() and client_id.isprintable()
