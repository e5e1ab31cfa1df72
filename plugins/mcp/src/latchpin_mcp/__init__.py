"""What MCP endpoints are built of, for plugins that serve one.

``latchpin_mcp.message`` reads the message in a request once, and ``latchpin_mcp.parts`` finds and replaces values in
its text. ``latchpin_mcp.header_values`` is for header fields that hold any text. ``latchpin_mcp.calls`` tells who has
to know of a call. The protocol's own words are in ``latchpin.sdk.mcp``.
"""
