"""The demo: an authorization server and a protected MCP server on loopback, and the gateway between them.

Everything here is for trying Latchpin out and for its tests. The servers forget all they know when they
stop, publish their users' password, and listen on loopback only.
"""
