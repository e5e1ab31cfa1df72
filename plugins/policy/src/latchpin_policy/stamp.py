"""How one worker tells all others that it has written: one small document, whose revision is new with each write."""

from __future__ import annotations

from contextlib import suppress

from latchpin.contracts import Collection
from latchpin.errors import RecordConflict
from latchpin.model import Document

__all__ = ["Stamp"]

_ID = "stamp"


class Stamp:
    """What is asked often in place of everything that it stands for."""

    def __init__(self, documents: Collection) -> None:
        self._documents = documents

    async def revision(self) -> int:
        """Another one than before where something was written since; 0: nothing ever was."""
        held = await self._documents.get(_ID)
        return 0 if held is None else held.revision

    async def renew(self) -> None:
        """Tell all workers; after what they are to read was written."""
        document = Document(_ID, {}, revision=await self.revision())
        with suppress(RecordConflict):  # somebody has told them since: they read what is written here, too
            await self._documents.put(document)
