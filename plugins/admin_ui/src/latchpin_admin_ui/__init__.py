"""The admin UI for Latchpin: pages over what the gateway's scripts can do, rendered on the server.

``forms`` reads what people entered (pure), ``views`` puts values into words (pure), ``pages`` renders, the ``routes_*``
files are one topic each, and ``plugin`` is what Latchpin finds. Nothing needs a script; htmx, which is served from
here, makes some of it live.
"""
