"""Collections and kept values in which something is sealed: each row, and how it is sealed anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from latchpin.contracts import Cipher, Context, KeyedRow, KeyNaming, KeyUse
from latchpin.model import ID_INDEX, CollectionSpec, Document, Sealed, Span
from latchpin.records.bulk import scan_all
from latchpin.records.kept import KEPT
from latchpin.records.sealed import open_document, seal_document

__all__ = ["collection_use", "kept_use", "key_ids", "name_collection", "reseal"]


def name_collection(spec: CollectionSpec) -> str:
    """What people call the rows of a collection."""
    return f"documents of {spec.name}"


def collection_use(spec: CollectionSpec) -> KeyUse:
    """The documents of a collection that has sealed members."""
    return KeyUse(name_collection(spec), partial(_rows_of, spec))


def kept_use(name: str, prefix: str, place: Callable[[str], Sequence[str]] | None) -> KeyUse:
    """Values kept by ``Context.kept``, each sealed whole.

    Args:
        name: what they are, for people.
        prefix: begins their names.
        place: gives the associated data that a value of that name is sealed with. None: only whoever made one knows
            it, so it is not sealed anew and has to expire.
    """
    return KeyUse(name, partial(_kept_rows, prefix, place))


def key_ids(cipher: Cipher, sealed: Iterable[str | None]) -> frozenset[str]:
    """The names of the keys that these were sealed under; None is nothing sealed."""
    name = cipher.key_of if isinstance(cipher, KeyNaming) else _unknown
    return frozenset(name(Sealed(each)) for each in sealed if each is not None)


def reseal(cipher: Cipher, sealed: Sealed, place: Sequence[str]) -> Sealed:
    """Seal under today's key what was sealed for ``place``; raises Unsealable if no key we have opens it."""
    return cipher.seal(cipher.unseal(sealed, associated_data=place), associated_data=place)


def _unknown(_sealed: Sealed) -> str:
    return ""


async def _rows_of(spec: CollectionSpec, context: Context) -> AsyncIterator[KeyedRow]:
    stored, cipher = context.records.collection(spec), context.cipher

    async def write(document: Document) -> None:
        await stored.put(seal_document(spec, open_document(spec, document, cipher), cipher))

    async for document in scan_all(stored):
        sealed = [document.body[name] for name in spec.sealed if document.body.get(name) is not None]
        if sealed:
            yield KeyedRow(key_ids(cipher, sealed), partial(write, document), document.expires_at)


async def _kept_rows(
    prefix: str, place: Callable[[str], Sequence[str]] | None, context: Context
) -> AsyncIterator[KeyedRow]:
    stored, cipher = context.records.collection(KEPT), context.cipher

    async def write(document: Document, place: Sequence[str]) -> None:
        lead, _, sealed = str(document.body["value"]).rpartition(" ")
        anew = reseal(cipher, Sealed(sealed), place)
        value = f"{cipher.key_id} {anew}" if lead else anew  # what leads names the key
        await stored.put(replace(document, body={**document.body, "value": value}))

    async for document in scan_all(stored, ID_INDEX, Span.prefix(prefix)):
        sealed = str(document.body["value"]).rpartition(" ")[2]
        anew = None if place is None else partial(write, document, place(document.id))
        yield KeyedRow(key_ids(cipher, [sealed]), anew, document.expires_at)
