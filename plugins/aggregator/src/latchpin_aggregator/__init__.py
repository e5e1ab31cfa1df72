"""One URL for all MCP servers behind Latchpin: ``{BASE_URL}/mcp``.

``endpoint`` is the route. A ``message`` is judged once, on its text (``parts``); ``answering`` answers what is asked of
the endpoint itself, from ``lists``, which ``fetching`` renews. ``calls`` go to their ``targets`` and come back through
``passing``. ``wire`` speaks to servers by the proxy's way to them; ``eras``, ``sessions`` and ``envelopes`` are about
how each speaks, ``naming`` and ``slugs`` about what clients call things. ``plugin`` is what Latchpin finds.
"""
