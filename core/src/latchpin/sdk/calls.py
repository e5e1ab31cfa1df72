"""MCP calls, for plugins with endpoints of their own: how those are told of who have to know.

``Application.services.calls`` are the observers of a gateway (``latchpin.contracts.CallObserver``), a ``CallObservers``
that is false where nobody listens. An endpoint has each exchange that a caller begins watched, once::

    watched = services.calls.watch(McpCall("server", caller, endpoint=path), send, scope["headers"])
    try:
        watched.read(body)
        ...  # answers to watched.send; watched.call.gateway and .name say what it found out
    finally:
        await watched.end()

``WatchedCall.mark`` says what became of it where the answer does not: that it was refused here, and why; or that the
caller went away. ``NotKept`` ends an answer that had begun.
"""

from latchpin.activity.calls import CallObservers, NotKept, WatchedCall

__all__ = ["CallObservers", "NotKept", "WatchedCall"]
