"""Sets of gateways that administrators make, each behind a URL of its own: ``{BASE_URL}/mcp/{slug}``.

``gateway_set`` is what one is, ``entry`` what somebody enters about it; the ``directory`` keeps them and judges who may
use which. ``routes`` is the API, ``pages`` are for people, ``commands`` for the command line.
"""
