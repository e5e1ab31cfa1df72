"""MCP as both sides write it: its words, and one message read once, so that nothing reads it in another way."""
