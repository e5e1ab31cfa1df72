"""The way out of the gateway: one guarded HTTP session, and what the mcp SDK sees of it.

httpx imports its own command line where rich and Pygments are installed, as they are with ours, and every worker would
keep these 8 MB. So it is told, while it is first imported, that there is none.
"""

import logging
import sys

COMMAND_LINE = "httpx._main"

if "httpx" not in sys.modules:
    # None is how Python marks a module that cannot be imported.
    sys.modules[COMMAND_LINE] = None  # type: ignore[assignment]
    import httpx  # noqa: F401

    del sys.modules[COMMAND_LINE]

# Plugins may use it. It logs every URL with its query at INFO, which nothing here needs.
logging.getLogger("httpx").setLevel(logging.WARNING)
