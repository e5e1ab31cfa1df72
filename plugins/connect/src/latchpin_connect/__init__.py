"""What to enter in which MCP client.

``programs`` knows each client's format (pure), ``endpoints`` what they are connected to, ``routes`` has the page,
``command`` the commands, and ``plugin`` is what Latchpin finds.
"""
