"""The MCP endpoint of Latchpin: ``/gateways/{gateway_id}/mcp``.

``headers``, ``resource``, ``links``, ``messages``, ``returning`` and ``call`` decide (pure), ``inbound`` reads what the
caller sends, ``relay`` speaks to the MCP server, ``inspection`` and ``exchange`` give its answer out, ``endpoint`` is
the route, and ``plugin`` is what Latchpin finds. Where a person has to authorize first, ``asked``, ``telling`` and
``resuming`` say how their program is told (pure), ``refusing`` tells it, and ``waiting`` waits for the person.
"""
