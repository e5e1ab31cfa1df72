"""The words of MCP, as both sides write them. The distribution ``latchpin-mcp`` reads messages."""
