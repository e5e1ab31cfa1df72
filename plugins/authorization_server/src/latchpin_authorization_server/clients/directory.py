"""Finds a client by its ``client_id``, wherever it comes from."""

from __future__ import annotations

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.records import ClientRecords

__all__ = ["ClientDirectory"]


class ClientDirectory:
    """Knows all clients."""

    def __init__(self, records: ClientRecords) -> None:
        self._records = records

    async def find(self, client_id: str) -> Client | None:
        """The client; None if nobody is called that.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if not client_id or len(client_id) > 255 or not client_id.isascii() or not client_id.isprintable():  # noqa: PLR2004
            return None
        stored = await self._records.get(client_id)
        return None if stored is None else stored.client
