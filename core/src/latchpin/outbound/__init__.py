"""The way out of the gateway: one guarded HTTP session, and what httpx and the mcp SDK see of it."""
