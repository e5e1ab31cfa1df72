"""Many documents put at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from latchpin.contracts import BulkCollection, Collection
from latchpin.errors import RecordConflict
from latchpin.model import Document

__all__ = ["put_all"]


async def put_all(
    collection: Collection, documents: Sequence[Document], *, in_order: bool = False
) -> Sequence[Document | None]:
    """Put each of ``documents``; see ``BulkCollection.put_all``, which the collection need not have.

    Raises:
        BackendUnavailable: some may be written.
    """
    if isinstance(collection, BulkCollection):
        return await collection.put_all(documents, in_order=in_order)
    if not in_order:
        return await asyncio.gather(*(_put(collection, document) for document in documents))
    stored: list[Document | None] = []
    for document in documents:
        stored.append(await _put(collection, document))
        if stored[-1] is None:
            break
    return stored + [None] * (len(documents) - len(stored))


async def _put(collection: Collection, document: Document) -> Document | None:
    try:
        return await collection.put(document)
    except RecordConflict:
        return None
