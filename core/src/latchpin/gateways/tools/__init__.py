"""An MCP server's tools, fetched with the caller's own token."""
