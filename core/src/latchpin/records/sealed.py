"""Seals the secret members of documents on their way into a store, and opens them on the way back."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from latchpin.contracts import Cipher, Collection, RecordStore
from latchpin.errors import Unsealable
from latchpin.model import ID_INDEX, CollectionSpec, Document, Sealed, Span
from latchpin.records.bulk import scan_all

__all__ = ["count_closed", "open_collection", "open_document", "seal_document"]


def open_collection(spec: CollectionSpec, records: RecordStore, cipher: Cipher) -> Collection:
    """The collection that ``spec`` declares, whose sealed members the store never sees open."""
    collection = records.collection(spec)
    return _SealedCollection(spec, collection, cipher) if spec.sealed else collection


async def count_closed(spec: CollectionSpec, records: RecordStore, cipher: Cipher) -> int:
    """How many documents of a collection have a sealed member that no key opens."""
    if not spec.sealed:
        return 0
    stored = records.collection(spec)
    opener = _SealedCollection(spec, stored, cipher)
    return sum([not opener.opens(document) async for document in scan_all(stored)])


def seal_document(spec: CollectionSpec, document: Document, cipher: Cipher) -> Document:
    """Seal the secret members of a document, each for its place.

    Raises:
        TypeError: one of them is not text.
    """

    def seal(value: str, place: tuple[str, ...]) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{place[-1]} of {place[0]} is to be sealed and is not text")
        return cipher.seal(value, associated_data=place)

    return _each(spec, document, seal)


def open_document(spec: CollectionSpec, document: Document, cipher: Cipher) -> Document:
    """Open the secret members of a stored document.

    Raises:
        Unsealable: no key we have opens one, or it was moved.
    """
    return _each(spec, document, lambda value, place: cipher.unseal(Sealed(value), associated_data=place))


def _each(spec: CollectionSpec, document: Document, change: Callable[[str, tuple[str, ...]], str]) -> Document:
    changed: dict[str, Any] = {
        name: change(document.body[name], (spec.name, document.id, name))
        for name in spec.sealed
        if document.body.get(name) is not None
    }
    return replace(document, body={**document.body, **changed})


class _SealedCollection:
    """A ``Collection`` over another. A member opens only in its own collection, document and place of the body."""

    def __init__(self, spec: CollectionSpec, inner: Collection, cipher: Cipher) -> None:
        self._spec = spec
        self._inner = inner
        self._cipher = cipher
        self.delete = inner.delete
        self.count = inner.count

    async def put(self, document: Document) -> Document:
        """Seal and put. Raises TypeError if a member that is to be sealed is not text."""
        stored = await self._inner.put(seal_document(self._spec, document, self._cipher))
        return replace(stored, body=document.body)

    async def get(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Get and open. Raises Unsealable if no key we have opens it, or it was moved."""
        return self._opened(await self._inner.get(id))

    async def take(self, id: str) -> Document | None:  # noqa: A002  the contract's name
        """Take and open. Raises Unsealable if no key we have opens it, or it was moved."""
        return self._opened(await self._inner.take(id))

    async def scan(
        self,
        index: str = ID_INDEX,
        within: Span = Span(),  # noqa: B008  frozen
        *,
        after: tuple[str, str] | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> builtins.list[Document]:
        """Scan and open. Raises Unsealable if no key we have opens one."""
        found = await self._inner.scan(index, within, after=after, limit=limit, newest_first=newest_first)
        return [open_document(self._spec, document, self._cipher) for document in found]

    def opens(self, document: Document) -> bool:
        """Whether a document that the store gave opens."""
        try:
            open_document(self._spec, document, self._cipher)
        except Unsealable:
            return False
        return True

    def _opened(self, document: Document | None) -> Document | None:
        return None if document is None else open_document(self._spec, document, self._cipher)
