"""The metadata of an authorization server, by an issuer that was named, or at the MCP server's origin."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.errors import DiscoveryFailed, IssuerMissing
from latchpin.model import Reply, ServerMetadata
from latchpin.model.urls import origin_of
from latchpin.oauth.discovery import (
    build_default_metadata,
    build_server_metadata_urls,
    parse_server_metadata,
)
from latchpin.servers.discovery_client import DiscoveryClient

__all__ = ["IssuerSearch"]

_REMEDY_FOR_OLD = (
    "Set oauth_config.issuer on the gateway, or authorization_url, token_url and client_id. If the server follows MCP "
    "2025-03-26, with /authorize, /token and /register at its root, and is known to do PKCE, set assume_pkce."
)


class IssuerSearch:
    """Asks issuers for their metadata.

    Args:
        discovery: carries the requests out.
        allow_http: http endpoints are acceptable.
    """

    def __init__(self, discovery: DiscoveryClient, *, allow_http: bool) -> None:
        self._discovery = discovery
        self._allow_http = allow_http

    async def named(self, issuers: Sequence[str]) -> ServerMetadata:
        """Give the first issuer's metadata that holds.

        Raises:
            DiscoveryFailed: none does.
        """
        last: DiscoveryFailed | None = None
        for position, issuer in enumerate(issuers):
            try:
                metadata = await self._ask(issuer, later=len(issuers) - position - 1)
            except DiscoveryFailed as exc:
                last = exc
                continue
            if metadata is not None:
                return metadata
        raise last or self._discovery.nothing_usable()

    async def at_origin(self, url: str, *, old: bool, assume_pkce: bool) -> ServerMetadata:
        """Servers from before RFC 9728 in MCP (2025-03-26): the MCP server's origin is the issuer.

        A server that wants a token and publishes nothing at all has its endpoints at fixed places there. Nothing then
        says that it does PKCE, so an administrator has to.

        Args:
            url: the MCP server.
            old: it wants a token, and publishes no resource metadata.
            assume_pkce: an administrator says that it does PKCE.

        Raises:
            DiscoveryFailed: something is there, and does not serve.
            IssuerMissing: nothing is.
        """
        origin = origin_of(url)
        metadata = await self._ask_origin(origin)
        if metadata is not None:
            return metadata
        if old and assume_pkce:
            return build_default_metadata(origin)
        raise IssuerMissing(
            f"neither the gateway nor its server names an authorization server ({self._discovery.told()})",
            remedy=_REMEDY_FOR_OLD if old else None,
        )

    async def _ask(self, issuer: str, *, later: int) -> ServerMetadata | None:
        urls = build_server_metadata_urls(issuer)
        return await self._discovery.first(urls, lambda reply: self._parse(reply, issuer), later=later)

    async def _ask_origin(self, origin: str) -> ServerMetadata | None:
        """Nobody wrote that issuer down, so it may call itself with a last slash or without."""

        def parse(reply: Reply) -> ServerMetadata:
            try:
                return self._parse(reply, origin)
            except DiscoveryFailed:
                return self._parse(reply, f"{origin}/")

        return await self._discovery.first(build_server_metadata_urls(origin), parse)

    def _parse(self, reply: Reply, issuer: str) -> ServerMetadata:
        return parse_server_metadata(reply, issuer, allow_http=self._allow_http)
