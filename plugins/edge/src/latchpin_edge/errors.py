"""What the data plane is told where it may not go on by itself."""

from __future__ import annotations

from latchpin.errors import CallerError

__all__ = ["UseTheProxy"]


class UseTheProxy(CallerError):
    """The gateway's own proxy has to serve this request; nothing is wrong with it."""

    code = "use-the-proxy"
    status = 403
    title = "The proxy serves this"
    public = "This request is served by the gateway's own proxy."
    remedy = "Pass it on to the MCP endpoint itself, as it came."
