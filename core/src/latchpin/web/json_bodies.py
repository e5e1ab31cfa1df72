"""Bodies of requests that are JSON."""

from __future__ import annotations

import json

from fastapi import Request

from latchpin.errors import InvalidRequest

__all__ = ["read_json"]


async def read_json(request: Request) -> object:
    """The body as it was sent; nothing of it is repeated where it is not JSON.

    Raises:
        InvalidRequest: it is not JSON.
    """
    try:
        document: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None
    return document
