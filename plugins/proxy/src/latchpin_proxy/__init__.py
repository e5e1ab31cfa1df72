"""The MCP endpoint of Latchpin: ``/gateways/{gateway_id}/mcp``.

``headers`` and ``resource`` decide (pure), ``inbound`` reads what the caller sends, ``relay`` speaks to the MCP
server, ``endpoint`` is the route, and ``plugin`` is what Latchpin finds.
"""
