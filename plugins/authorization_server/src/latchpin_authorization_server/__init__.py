"""An OAuth 2.1 authorization server for MCP clients; its issuer is BASE_URL.

``clients`` says who asks, ``grants`` what people allowed them, ``tokens`` what they are given for it. ``authorize`` is
the way of a person's browser, ``token_endpoint`` that of programs, ``identity`` takes what was given out. ``server``
puts them together, ``web`` has the routes and pages, and ``plugin`` is what Latchpin finds.
"""
