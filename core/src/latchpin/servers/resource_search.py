"""What an MCP server says of itself: its challenge, and the resource metadata it publishes (RFC 9728)."""

from __future__ import annotations

import json
from http import HTTPStatus

from latchpin.errors import ProviderError
from latchpin.model import Reply
from latchpin.oauth.challenge import Challenge, parse_challenge
from latchpin.oauth.discovery import ResourceMetadata, build_resource_metadata_urls, parse_resource_metadata
from latchpin.servers.found import Step
from latchpin.servers.inquiry import Inquiry, bare
from latchpin.urls import split_url

__all__ = ["ResourceSearch"]

# Enough to be asked for a token, and harmless where none is needed: it opens no session.
_BARE_REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
_BARE_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class ResourceSearch:
    """Asks an MCP server what it publishes.

    Args:
        inquiry: carries the requests out.
        url: the MCP server.
        allow_http: http endpoints are acceptable.

    Attributes:
        challenge: what a request without a token was answered; empty until it was asked.
        challenged: that request was refused (401).
    """

    def __init__(self, inquiry: Inquiry, url: str, *, allow_http: bool) -> None:
        self._inquiry = inquiry
        self._url = url
        self._allow_http = allow_http
        self.challenge = Challenge()
        self.challenged = False

    async def run(self) -> ResourceMetadata | None:
        """Look where the challenge says, else at the well-known URLs; None if nothing is published.

        Raises:
            DiscoveryFailed: a step failed.
        """
        self.challenge = await self._ask_bare()
        urls = list(build_resource_metadata_urls(self._url))
        if (named := self.challenge.resource_metadata) is not None:
            if split_url(named) is None:
                self._inquiry.note(Step("the challenge's resource_metadata", "not an absolute http(s) URL"))
            else:
                urls.insert(0, named)
        for url in dict.fromkeys(urls):
            document = await self._inquiry.read(url, self._parse)
            if document is not None:
                return document
        return None

    async def run_leniently(self) -> ResourceMetadata | None:
        """Look, where the issuer is known without it: then its absence does no harm, nor does a failure."""
        try:
            return await self.run()
        except ProviderError:
            return None

    def _parse(self, reply: Reply) -> ResourceMetadata:
        return parse_resource_metadata(reply, self._url, allow_http=self._allow_http)

    async def _ask_bare(self) -> Challenge:
        reply = await self._inquiry.post(self._url, _BARE_HEADERS, _BARE_REQUEST)
        if reply is None:
            return Challenge()
        challenge = None
        self.challenged = reply.status == HTTPStatus.UNAUTHORIZED
        if self.challenged:
            challenge = parse_challenge(reply.headers.get("www-authenticate", ""))
        names = "with" if challenge and challenge.resource_metadata else "without"
        got = f"HTTP {reply.status} {names} a challenge that names its metadata"
        self._inquiry.note(Step(f"POST {bare(self._url)}", got))
        return challenge or Challenge()
