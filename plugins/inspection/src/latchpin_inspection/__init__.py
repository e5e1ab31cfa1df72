"""What an authorization of a gateway would meet: its servers, the way to a client there, and what is in the way.

``discover`` looks, and gives a ``Discovered``. It registers, pins and keeps nothing::

    discovered = await discover(application, gateway)
    print(discovered.describe())
"""

from latchpin_inspection.discovered import Discovered
from latchpin_inspection.discovering import discover

__all__ = ["Discovered", "discover"]
