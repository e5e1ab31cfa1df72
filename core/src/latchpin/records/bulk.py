"""Many documents put at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from latchpin.contracts import BulkCollection, Collection
from latchpin.errors import RecordConflict
from latchpin.model import Document

__all__ = ["put_all"]


async def put_all(collection: Collection, documents: Sequence[Document]) -> Sequence[Document | None]:
    """Put each of ``documents``; see ``BulkCollection.put_all``, which the collection need not have.

    Raises:
        BackendUnavailable: some may be written.
    """
    if isinstance(collection, BulkCollection):
        return await collection.put_all(documents)
    return await asyncio.gather(*(_put(collection, document) for document in documents))


async def _put(collection: Collection, document: Document) -> Document | None:
    try:
        return await collection.put(document)
    except RecordConflict:
        return None
