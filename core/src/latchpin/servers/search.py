"""One search for the authorization server of an MCP server: who is asked, in which order, and what comes of it.

The decisions are in ``oauth/discovery.py``; what is asked of the MCP server and of the authorization server has a
file each.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from latchpin.errors import DiscoveryFailed, IssuerMissing
from latchpin.model import OAuthConfig, ServerMetadata
from latchpin.oauth.discovery import ResourceMetadata, apply_settings, build_metadata_from_settings
from latchpin.oauth.dpop import choose_binding
from latchpin.servers.discovery_client import DiscoveryClient
from latchpin.servers.found import FoundServer
from latchpin.servers.issuer_search import IssuerSearch
from latchpin.servers.resource_search import ResourceSearch

__all__ = ["Search"]

_log = logging.getLogger("latchpin.servers")

_MOST_SERVERS = 5


class Search:
    """A search for one gateway. Used once.

    Args:
        discovery: carries the requests out.
        url: the MCP server.
        config: the gateway's OAuth entry.
        preferred: the issuer to take first if the server names several.
        allow_http: http endpoints are acceptable.
    """

    def __init__(
        self, discovery: DiscoveryClient, url: str, config: OAuthConfig, *, preferred: str | None, allow_http: bool
    ) -> None:
        self._discovery = discovery
        self._url = url
        self._config = config
        self._preferred = preferred
        self._resource = ResourceSearch(discovery, url, allow_http=allow_http)
        self._issuers = IssuerSearch(discovery, allow_http=allow_http)

    async def run(self) -> FoundServer:
        """Find the server.

        Raises:
            DiscoveryFailed: a step failed, or time was up (status 504); the detail lists what was asked and what
                came back.
            IssuerMissing: nothing names an authorization server.
        """
        try:
            return await self._discover()
        except (DiscoveryFailed, IssuerMissing) as exc:
            # The entry's own URLs suffice; only its registration endpoint stays unknown.
            stated = build_metadata_from_settings(self._config)
            if stated is None:
                raise
            if isinstance(exc, DiscoveryFailed):
                _log.warning("Discovery for %s failed, so only the gateway's entry counts: %s", self._url, exc.detail)
            return self._build(stated, None)

    async def _discover(self) -> FoundServer:
        if self._config.issuer is not None:
            metadata = await self._issuers.named([self._config.issuer])
            return self._build(metadata, await self._resource.run_leniently())
        published = await self._resource.run()
        if published is not None and published.authorization_servers:
            return self._build(await self._issuers.named(self._ordered(published)), published)
        old = published is None and self._resource.challenged
        metadata = await self._issuers.at_origin(self._url, old=old, assume_pkce=bool(self._config.assume_pkce))
        return self._build(metadata, published)

    def _ordered(self, published: ResourceMetadata) -> Sequence[str]:
        names = sorted(published.authorization_servers, key=lambda name: name != self._preferred)
        return names[:_MOST_SERVERS]

    def _build(self, metadata: ServerMetadata, published: ResourceMetadata | None) -> FoundServer:
        for odd in self._discovery.passed_over:
            _log.warning("Passed over in the metadata at %s", odd)
        resource = self._config.resource or (published.resource if published else None)
        challenge = self._resource.challenge
        dpop = choose_binding(
            self._config.dpop,
            server_algorithms=metadata.extra.get("dpop_signing_alg_values_supported"),
            resource_takes_it=challenge.dpop or (published is not None and published.dpop),
        )
        return FoundServer(
            metadata=replace(apply_settings(metadata, self._config), dpop=dpop),
            resource=resource,
            challenge_scopes=challenge.scopes,
            resource_scopes=published.scopes_supported if published else (),
            resource_source=published.source if published else None,
            challenged=self._resource.challenged,
            steps=tuple(self._discovery.steps),
        )
