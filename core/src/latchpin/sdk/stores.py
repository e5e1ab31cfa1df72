"""What stores are built from, beside their contracts.

``Batcher`` is group commit: what queues up while one batch is under way goes out as the next, so that one round trip
serves many callers. ``store_deadline`` ends a wait for a store that does not answer; time in which this process itself
did not get on does not count. It gives a ``StoreDeadline``, which says what is left::

    async with store_deadline(5):
        rows = await connection.execute(query)

A record store counts tokens by what they are good for: ``status_of`` judges one, ``status_of_times`` the times alone,
``near_expiry_from`` is the moment from which on one is near its end, at most ``NEAR_EXPIRY_AT_MOST`` before it.

``default_of`` says which of one person's tokens at one gateway serves where no label is named.

Who keeps many documents at once puts them with ``put_all``, which costs a database a few statements in all. Who reads
all there are goes through ``scan_all``, which reads them page by page: a ``limit`` of one's own is one day too low::

    rules = [Rule.read(held) async for held in scan_all(collection, "owner", Span.only(owner))]

The distribution ``latchpin-key-value`` makes a whole store of three methods.
"""

from latchpin.model.accounts import default_of
from latchpin.oauth.status import NEAR_EXPIRY_AT_MOST, near_expiry_from, status_of, status_of_times
from latchpin.records.bulk import put_all, scan_all
from latchpin.workers.batching import Batcher
from latchpin.workers.store_deadline import StoreDeadline, store_deadline

__all__ = [
    "NEAR_EXPIRY_AT_MOST",
    "Batcher",
    "StoreDeadline",
    "default_of",
    "near_expiry_from",
    "put_all",
    "scan_all",
    "status_of",
    "status_of_times",
    "store_deadline",
]
