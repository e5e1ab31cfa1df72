"""Work that several callers, processes or machines share.

``SharedTasks`` runs one task for all callers in this process who want the same thing at the same moment. ``Leases``
does so among all workers on one record store: one at a time does a thing, and the others take what it made.
``fetched_keys`` holds the keys of a key service, and fetches them anew from time to time, for a signer or a cipher::

    async with fetched_keys(unwrap) as keys:
        yield AcmeCipher(keys)

``which_worker`` says which of several serving processes this one is.
"""

from latchpin.workers.fetched_keys import fetched_keys
from latchpin.workers.leases import Leases
from latchpin.workers.numbers import which_worker
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Leases", "SharedTasks", "fetched_keys", "which_worker"]
