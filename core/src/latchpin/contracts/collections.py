"""What keeps documents: the one contract for whatever a plugin has to keep."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from latchpin.model.document import ID_INDEX, Document, Span

__all__ = ["BulkCollection", "Collection"]


class Collection(Protocol):
    """Documents of one kind, each under its id.

    Every method is atomic and sees what any process wrote before. An expired document is absent everywhere, whether
    or not the store has removed it yet, and so is one under an id that no document may have. Every method raises
    BackendUnavailable if the store cannot be asked.
    """

    async def put(self, document: Document) -> Document:
        """Compare and swap: write ``document`` if the stored one has its revision (0: there is none).

        Returns it as it is stored now, with its new revision (``Document.written``).

        Raises:
            RecordConflict: another revision is stored, or one where none should be; read again.
        """

    async def get(self, id: str) -> Document | None:  # noqa: A002  the document's own word
        """Look. None if there is none."""

    async def delete(self, id: str, *, revision: int | None = None) -> bool:  # noqa: A002
        """Remove it, with ``revision`` only if it has that one. False if nothing was removed."""

    async def take(self, id: str) -> Document | None:  # noqa: A002
        """Remove and return it: of any number of callers in any processes, one gets it."""

    async def scan(
        self,
        index: str = ID_INDEX,
        within: Span = Span(),  # noqa: B008  frozen
        *,
        after: tuple[str, str] | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> builtins.list[Document]:
        """At most ``limit`` documents whose value in ``index`` lies in ``within``, by value and then by id.

        Args:
            index: a declared index, or ``id``.
            within: which values.
            after: the value and id of the last document that was seen, to go on behind it.
            limit: how many at most.
            newest_first: from the end to the beginning.

        Raises:
            ValueError: ``index`` is not declared.
        """

    async def count(self, index: str = ID_INDEX, within: Span = Span()) -> int:  # noqa: B008  frozen
        """How many documents a ``scan`` without a limit would give. It does not read them.

        Raises:
            ValueError: ``index`` is not declared.
        """


@runtime_checkable
class BulkCollection(Protocol):
    """A collection that writes many documents at the price of a few. Optional: without it each is put by itself."""

    async def put_all(self, documents: Sequence[Document], *, in_order: bool = False) -> Sequence[Document | None]:
        """Put each of ``documents``, no two of which have one id, as ``Collection.put`` does.

        ``in_order``: one after the other, and none behind the first that is refused.

        Returns for each what ``put`` returns, None where it would raise RecordConflict and where it was not tried.

        Raises:
            BackendUnavailable: some may be written.
        """
