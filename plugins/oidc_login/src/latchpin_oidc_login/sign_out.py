"""Whether the provider offers a sign-out that this gateway could lead to."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from latchpin.contracts import Clock, Upstream
from latchpin.errors import LatchpinError
from latchpin.sdk.settings import CoreSettings, load

from latchpin_oidc_login.discovery import Discovery

__all__ = ["SignOut"]

_log = logging.getLogger("latchpin.oidc_login")

PATIENCE = 2.0
"""Seconds for which the page of somebody who has signed out waits for the provider's metadata."""


class SignOut:
    """Asks the provider's metadata, and remembers it for as long as metadata is believed.

    Args:
        issuer: OIDC_LOGIN_ISSUER.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._discovery: Discovery | None = None

    async def offered(self, upstream: Upstream, clock: Clock) -> bool:
        """Whether there is one; a provider that cannot be asked now offers none."""
        if self._discovery is None:
            settings = load(CoreSettings)
            self._discovery = Discovery(
                self._issuer,
                upstream=upstream,
                clock=clock,
                allow_http=settings.oauth_allow_private_networks,
                lifetime=timedelta(seconds=settings.dcr_metadata_cache_ttl),
            )
        try:
            async with asyncio.timeout(PATIENCE):
                provider = await self._discovery.find()
        except (LatchpinError, TimeoutError) as exc:
            reason = "no answer in time" if isinstance(exc, TimeoutError) else exc.detail or exc.public
            _log.warning("No sign-out at the provider is offered: %s", reason)
            return False
        return provider.end_session_endpoint is not None
