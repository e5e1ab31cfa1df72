"""The native data plane: nginx or Envoy moves the bytes of MCP calls, and asks Latchpin which token goes up.

``asking`` is what is asked and answered, ``plan`` what a data plane has to know, ``nginx`` and ``envoy`` say that in
their languages, and ``watching`` keeps what they were told true.
"""
