"""API keys in a header field, for MCP servers without OAuth."""
