"""Stores over a bare ``KeyValue``, for who has a place for texts and no more.

``KeyValue`` is the shortest way to a store: whatever can get, compare and swap, and scan texts in the order of their
keys. ``KeyValueStateStore`` and ``KeyValueRecordStore`` make of it what the hooks ask for. Lists, counts and scans of
collections then read all there is of their kind, which is good for hundreds of gateways and thousands of users::

    @asynccontextmanager
    async def open_records(settings, context):
        yield KeyValueRecordStore(MyKeyValue(settings), context.clock)
"""

from latchpin_key_value.contract import KeyValue
from latchpin_key_value.records import KeyValueRecordStore
from latchpin_key_value.states import KeyValueStateStore

__all__ = ["KeyValue", "KeyValueRecordStore", "KeyValueStateStore"]
