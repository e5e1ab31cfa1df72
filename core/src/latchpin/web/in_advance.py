"""Requests that nobody has made yet: a browser, or something in front of it, loads a page before it is asked for.

Loaded in advance, an authorization code would be redeemed before its person comes, who is then told that it was used.
Browsers say so: ``Sec-Purpose`` (Fetch Standard, section 3.8), earlier ``Purpose``, ``X-Moz`` and ``X-Purpose``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast

from fastapi import Request
from fastapi.responses import Response

__all__ = ["is_in_advance", "not_in_advance"]

EndpointT = TypeVar("EndpointT", bound=Callable[..., Awaitable[Response]])

_HEADERS = frozenset({b"sec-purpose", b"purpose", b"x-moz", b"x-purpose"})
_IN_ADVANCE = re.compile(rb"\b(prefetch|prerender|preview)\b", re.IGNORECASE)


def not_in_advance(endpoint: EndpointT) -> EndpointT:
    """Let ``endpoint`` be called only for a person who comes; who loads in advance gets 425 and no effect.

    425 (RFC 8470 section 5.2) is no success, so that no browser shows or keeps it, and asks the same again when it is
    meant.
    """

    @functools.wraps(endpoint)
    async def guarded(request: Request, **others: Any) -> Response:  # noqa: ANN401  what FastAPI gives it
        if is_in_advance(request):
            return Response(status_code=HTTPStatus.TOO_EARLY, headers={"cache-control": "no-store"})
        return await endpoint(request, **others)

    return cast("EndpointT", guarded)


def is_in_advance(request: Request) -> bool:
    """Whether the request says that nobody has asked for the page yet."""
    return any(_IN_ADVANCE.search(value) for name, value in request.scope["headers"] if name in _HEADERS)
