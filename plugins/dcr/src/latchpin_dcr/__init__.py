"""Dynamic Client Registration for Latchpin (RFC 7591, RFC 7592).

``registration`` builds requests and ``reply`` parses answers (pure), ``registrar`` talks to the server, ``plugin`` is
what Latchpin finds.
"""
