"""The MCP endpoint of Latchpin: ``/gateways/{gateway_id}/mcp``.

``headers``, ``resource``, ``links``, ``messages`` and ``returning`` decide (pure), ``inbound`` reads what the caller
sends, ``relay`` speaks to the MCP server, ``inspection`` and ``exchange`` give its answer out, ``endpoint`` is the
route, and ``plugin`` is what Latchpin finds.
"""
