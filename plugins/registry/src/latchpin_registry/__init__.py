"""Latchpin's MCP endpoints as an MCP registry lists them (MCP registry API, v0.1).

``entries`` are the endpoints in the registry's words, ``pages`` parts of their list. ``routes`` answers, and ``plugin``
is what Latchpin finds.
"""
