"""Many documents: put at once, and read to the last one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from latchpin.contracts import BulkCollection, Collection
from latchpin.errors import RecordConflict
from latchpin.model import ID_INDEX, Document, Span

__all__ = ["put_all", "scan_all"]

_PAGE = 500


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


async def scan_all(
    collection: Collection,
    index: str = ID_INDEX,
    within: Span = Span(),  # noqa: B008  frozen
    *,
    after: tuple[str, str] | None = None,
    newest_first: bool = False,
    page: int = _PAGE,
) -> AsyncIterator[Document]:
    """Each document whose value in ``index`` lies in ``within``, by value and then by id, however many there are.

    They are read page by page, so one that is written meanwhile may be among them or not; none is met twice, unless its
    value changes. The one that was given last may be removed before the next is asked for.

    Args:
        collection: which.
        index: a declared index, or ``id``.
        within: which values.
        after: the value and id of the last document that was seen, to go on behind it.
        newest_first: from the end to the beginning.
        page: how many are read at once.

    Raises:
        ValueError: ``index`` is not declared.
        BackendUnavailable: the store cannot be asked.
    """
    while held := await collection.scan(index, within, after=after, limit=page, newest_first=newest_first):
        for document in held:
            yield document
        last = held[-1]
        after = (last.id if index == ID_INDEX else last.fields[index], last.id)


async def _put(collection: Collection, document: Document) -> Document | None:
    try:
        return await collection.put(document)
    except RecordConflict:
        return None
