"""One URL for all MCP servers behind Latchpin, ``{BASE_URL}/mcp``, and one for each set of them.

The route serves ``endpoints``, each an ``endpoint`` with its ``selection`` of gateways; administrators make ``sets``. A
message is judged once, on its text; ``answering`` answers what is asked of an endpoint itself, from the ``lists`` of
what is on its ``offers``, which ``fetching`` renews. ``calls`` go to their ``targets`` and come back through
``passing``. ``wire`` speaks to servers by the proxy's way to them; ``eras``, ``sessions`` and ``envelopes`` are about
how each speaks, ``naming`` and ``slugs`` about what clients call things. ``plugin`` is what Latchpin finds.
"""
