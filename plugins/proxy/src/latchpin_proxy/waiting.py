"""Waiting for a person who was asked to authorize: their program asks again as soon as the link is open."""

from __future__ import annotations

import asyncio

from latchpin.sdk.gateway import Application

from latchpin_proxy.errors import NotYetAuthorized
from latchpin_proxy.relay import McpRequest
from latchpin_proxy.resuming import Resumed

__all__ = ["wait_for_person"]

LOOKS_EVERY = 1.0
"""In seconds: authorizations end at any worker, so the store is asked."""


async def wait_for_person(application: Application, request: McpRequest, resumed: Resumed, *, seconds: float) -> None:
    """Go on as soon as the person has authorized.

    Raises:
        NotYetAuthorized: they declined, or have not done so within ``seconds``.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while await application.must_authorize(request.gateway, request.caller):
        left = until - loop.time()
        if not resumed.agreed or left <= 0:
            raise NotYetAuthorized(
                "you have not authorized it yet" if resumed.agreed else "you did not want to authorize it",
                authorize_url=application.services.settings.authorize_url(request.gateway.id),
            )
        await asyncio.sleep(min(LOOKS_EVERY, left))
