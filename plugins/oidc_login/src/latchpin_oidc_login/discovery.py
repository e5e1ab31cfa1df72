"""The provider as it is known now: asked when needed, for all who wait at once, and remembered for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.contracts import Clock, Upstream
from latchpin.errors import DiscoveryFailed
from latchpin.sdk.identity import KeySet
from latchpin.sdk.workers import SharedTasks

from latchpin_oidc_login.metadata import OpenIdProvider, build_metadata_url, parse_provider

__all__ = ["Discovery"]


class Discovery:
    """Finds the provider of one issuer.

    Args:
        issuer: OIDC_LOGIN_ISSUER.
        upstream: the guarded way there.
        clock: judges how old the metadata is.
        allow_http: OAUTH_ALLOW_PRIVATE_NETWORKS.
        lifetime: how long metadata is believed; failures are not remembered.
    """

    def __init__(self, issuer: str, *, upstream: Upstream, clock: Clock, allow_http: bool, lifetime: timedelta) -> None:
        self._issuer = issuer
        self._upstream = upstream
        self._clock = clock
        self._allow_http = allow_http
        self._lifetime = lifetime
        self._asking: SharedTasks[str, OpenIdProvider] = SharedTasks()
        self._found: tuple[OpenIdProvider, datetime] | None = None
        self._keys: tuple[str, KeySet] | None = None

    async def find(self) -> OpenIdProvider:
        """The provider's metadata.

        Raises:
            UpstreamError: it cannot be had, or cannot be believed.
        """
        if self._found is not None and self._clock() < self._found[1]:
            return self._found[0]
        return await self._asking.run(self._issuer, self._ask)

    def keys_of(self, provider: OpenIdProvider) -> KeySet:
        """The provider's published keys; they are kept as long as it publishes them at the same place."""
        if self._keys is None or self._keys[0] != provider.jwks_uri:
            keys = KeySet(provider.jwks_uri, upstream=self._upstream, clock=self._clock, name="the provider's jwks_uri")
            self._keys = (provider.jwks_uri, keys)
        return self._keys[1]

    async def _ask(self) -> OpenIdProvider:
        if not (self._allow_http or self._issuer.startswith("https:")):
            raise DiscoveryFailed("the issuer is an http URL, and OAUTH_ALLOW_PRIVATE_NETWORKS does not allow those")
        reply = await self._upstream.get(build_metadata_url(self._issuer))
        provider = parse_provider(reply, self._issuer, allow_http=self._allow_http)
        self._found = (provider, self._clock() + self._lifetime)
        return provider
