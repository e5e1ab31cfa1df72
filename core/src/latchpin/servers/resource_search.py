"""What an MCP server says of itself: its challenge, and the resource metadata it publishes (RFC 9728)."""

from __future__ import annotations

import logging

from latchpin.errors import UpstreamError, UpstreamTimeout
from latchpin.model import Reply
from latchpin.model.urls import join_url
from latchpin.oauth.challenge import Challenge
from latchpin.oauth.discovery import ResourceMetadata, build_resource_metadata_urls, parse_resource_metadata
from latchpin.oauth.documents import shown
from latchpin.servers.discovery_client import DiscoveryClient
from latchpin.servers.found import Step
from latchpin.servers.probe import Probe

__all__ = ["ResourceSearch"]

_log = logging.getLogger("latchpin.servers")

_LATER = 2  # the authorization server is asked after it, at two URLs or more


class ResourceSearch:
    """Asks an MCP server what it publishes.

    Args:
        discovery: carries the requests out.
        url: the MCP server.
        allow_http: http endpoints are acceptable.
    """

    def __init__(self, discovery: DiscoveryClient, url: str, *, allow_http: bool) -> None:
        self._discovery = discovery
        self._url = url
        self._allow_http = allow_http
        self._probe = Probe(discovery, url)

    @property
    def challenge(self) -> Challenge:
        """What a request without a token was answered; empty until it was asked."""
        return self._probe.challenge

    @property
    def challenged(self) -> bool:
        """Whether a request without a token was refused."""
        return self._probe.challenged

    async def run(self) -> ResourceMetadata | None:
        """Look where the challenge says, else at the well-known URLs; None if nothing is published.

        Raises:
            DiscoveryFailed: a step failed, or what is published cannot be used.
        """
        await self._probe.run()
        named = self._named()
        urls = dict.fromkeys([*named, *build_resource_metadata_urls(self._url)])
        found = await self._discovery.first(list(urls), self._parse, later=_LATER, named=frozenset(named))
        if found is None and self._discovery.silent and not self._probe.answered:
            raise self._discovery.nothing_usable(UpstreamTimeout())
        if found is None and self.challenge.resource_metadata is not None:
            self._say("The challenge of %s names resource metadata, and there is none: %s", named)
        return found

    async def run_leniently(self) -> ResourceMetadata | None:
        """Look, where the issuer is known without it: then its absence does no harm, nor does a failure."""
        try:
            return await self.run()
        except UpstreamError as exc:
            self._say("The resource metadata of %s is not used, so no resource is asked for: %s", exc.detail)
            return None

    def _named(self) -> list[str]:
        """Where the challenge says that the metadata is; what is no absolute URL is meant from the server's own."""
        urls = []
        for place in (self.challenge.resource_metadata, *self.challenge.others):
            if place is None:
                continue
            url = join_url(self._url, place)
            if url is None:
                self._discovery.note(Step("the challenge's resource_metadata", f"{shown(place)} is no http(s) URL"))
            else:
                urls.append(url)
        return urls

    def _parse(self, reply: Reply) -> ResourceMetadata:
        return parse_resource_metadata(reply, self._url, allow_http=self._allow_http)

    def _say(self, text: str, what: object) -> None:
        _log.warning(text, shown(self._url), what)
