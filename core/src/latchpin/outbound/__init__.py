"""The way out of the gateway: one guarded HTTP session, and what httpx and the mcp SDK see of it.

httpx imports its own command line where rich and Pygments are installed, as they are with ours, and every worker would
keep these 8 MB. So it is told, while it is first imported, that there is none.
"""

import sys

COMMAND_LINE = "httpx._main"

if "httpx" not in sys.modules:
    # None is how Python marks a module that cannot be imported.
    sys.modules[COMMAND_LINE] = None  # type: ignore[assignment]
    import httpx  # noqa: F401

    del sys.modules[COMMAND_LINE]
