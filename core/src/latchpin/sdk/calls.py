"""Nothing is published here any more: how calls are told is in ``latchpin_mcp.calls``, of ``latchpin-mcp``.

Its names are still found here, for plugins that were written before.
"""

from latchpin.plugins.leaving import finder_of_moved

__all__: list[str] = []

__getattr__ = finder_of_moved(__name__)
