"""Work that several callers or processes share.

``SharedTasks`` runs one task for all callers in this process who want the same thing at the same moment::

    document = await tasks.run(url, partial(self._fetch, url))

``Bounded`` is a dictionary of so many entries at most: a new one takes the place of the oldest. ``Recent`` remembers
for a second what every call asks of a store, but nothing that this process writes over::

    known = self._recent.get(slug) or await self._recent.read(slug, partial(self._read, slug))

``which_worker`` says which of several serving processes this one is.
"""

from latchpin.workers.bounded import Bounded
from latchpin.workers.numbers import which_worker
from latchpin.workers.recent import Recent
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Bounded", "Recent", "SharedTasks", "which_worker"]
