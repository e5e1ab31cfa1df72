"""Work that several callers or processes share.

``SharedTasks`` runs one task for all callers in this process who want the same thing at the same moment::

    document = await tasks.run(url, partial(self._fetch, url))

``which_worker`` says which of several serving processes this one is.
"""

from latchpin.workers.numbers import which_worker
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["SharedTasks", "which_worker"]
