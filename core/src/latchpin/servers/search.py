"""One search for the authorization server of an MCP server: what is asked, in which order, and what came back.

The decisions are in ``oauth/discovery.py``; this file carries the requests out and keeps a step for each, so
that a failure names the exact request that went wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

from latchpin.contracts import Upstream
from latchpin.errors import (
    AddressRefused,
    DiscoveryFailed,
    IssuerMissing,
    ProviderError,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnreadable,
)
from latchpin.model import OAuthConfig, Reply, ServerMetadata
from latchpin.oauth.challenge import Challenge, parse_challenge
from latchpin.oauth.discovery import (
    ResourceMetadata,
    apply_settings,
    build_default_metadata,
    build_metadata_from_settings,
    build_resource_metadata_urls,
    build_server_metadata_urls,
    origin_of,
    parse_resource_metadata,
    parse_server_metadata,
)
from latchpin.oauth.documents import split_url
from latchpin.oauth.dpop import choose_binding
from latchpin.servers.found import FoundServer, Step

__all__ = ["OnStep", "Search", "tell_nobody"]

DocumentT = TypeVar("DocumentT")

OnStep = Callable[[Step], None]
"""Is told what was asked and what came back."""

# Enough to be asked for a token, and harmless where none is needed: it opens no session.
_BARE_REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
_BARE_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_MOST_SERVERS = 5
_REMEDY_FOR_OLD = (
    "Set oauth_config.issuer on the gateway, or authorization_url, token_url and client_id. If the server follows MCP "
    "2025-03-26, with /authorize, /token and /register at its root, and is known to do PKCE, set assume_pkce."
)


def tell_nobody(step: Step) -> None:
    """Tell nobody."""


class Search:
    """A search for one gateway. Used once.

    Args:
        upstream: the guarded way out.
        url: the MCP server.
        config: the gateway's OAuth entry.
        preferred: the issuer to take first if the server names several.
        allow_http: http endpoints are acceptable.
        timeout: how long all of it may take, in seconds: a server that names many others, each of them slow,
            must not hold everybody who waits.
        on_step: is told each step when its answer is there.
    """

    def __init__(
        self,
        upstream: Upstream,
        url: str,
        config: OAuthConfig,
        *,
        preferred: str | None,
        allow_http: bool,
        timeout: float,
        on_step: OnStep = tell_nobody,
    ) -> None:
        self._upstream = upstream
        self._url = url
        self._config = config
        self._preferred = preferred
        self._allow_http = allow_http
        self._timeout = timeout
        self._on_step = on_step
        self._deadline = 0.0
        self._late = False
        self._steps: list[Step] = []
        self._unreadable: ProviderError | None = None
        self._challenge = Challenge()
        self._protected = False

    async def run(self) -> FoundServer:
        """Find the server.

        Raises:
            DiscoveryFailed: a step failed, or time was up (status 504); the detail lists what was asked and what
                came back.
            IssuerMissing: nothing names an authorization server.
        """
        self._deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            return await self._discover()
        except (DiscoveryFailed, IssuerMissing):
            # The entry's own URLs suffice; only its registration endpoint stays unknown.
            stated = build_metadata_from_settings(self._config)
            if stated is None:
                raise
            return self._build(stated, None)

    async def _discover(self) -> FoundServer:
        if self._config.issuer is not None:
            metadata = await self._find_metadata([self._config.issuer])
            return self._build(metadata, await self._find_published())
        published = await self._find_resource()
        if published is not None and published.authorization_servers:
            return self._build(await self._find_metadata(self._ordered(published)), published)
        return self._build(await self._find_at_origin(silent=published is None), published)

    def _build(self, metadata: ServerMetadata, published: ResourceMetadata | None) -> FoundServer:
        resource = self._config.resource or (published.resource if published else None)
        dpop = choose_binding(
            self._config.dpop,
            server_algorithms=metadata.extra.get("dpop_signing_alg_values_supported"),
            resource_takes_it=self._challenge.dpop or (published is not None and published.dpop),
        )
        return FoundServer(
            metadata=replace(apply_settings(metadata, self._config), dpop=dpop),
            resource=resource,
            challenge_scopes=self._challenge.scopes,
            resource_scopes=published.scopes_supported if published else (),
            resource_source=published.source if published else None,
            challenged=self._protected,
            steps=tuple(self._steps),
        )

    def _ordered(self, published: ResourceMetadata) -> Sequence[str]:
        names = sorted(published.authorization_servers, key=lambda name: name != self._preferred)
        return names[:_MOST_SERVERS]

    # -- the MCP server ---------------------------------------------------------------------------------

    async def _find_published(self) -> ResourceMetadata | None:
        """What the MCP server publishes, where the issuer is known without it: its absence does no harm."""
        try:
            return await self._find_resource()
        except ProviderError:
            return None

    async def _find_resource(self) -> ResourceMetadata | None:
        """RFC 9728: where the challenge says, else at the well-known URLs; None if nothing is published."""
        self._challenge = await self._ask_bare()
        urls = list(build_resource_metadata_urls(self._url))
        if (named := self._challenge.resource_metadata) is not None:
            if split_url(named) is None:
                self._note(Step("the challenge's resource_metadata", "not an absolute http(s) URL"))
            else:
                urls.insert(0, named)
        for url in dict.fromkeys(urls):
            document = await self._read(url, self._parse_resource)
            if document is not None:
                return document
        return None

    def _parse_resource(self, reply: Reply) -> ResourceMetadata:
        return parse_resource_metadata(reply, self._url, allow_http=self._allow_http)

    async def _ask_bare(self) -> Challenge:
        asked = f"POST {_bare(self._url)}"
        try:
            reply = await self._in_time(
                self._upstream.send("POST", self._url, headers=_BARE_HEADERS, body=_BARE_REQUEST)
            )
        except ProviderUnreachable as exc:
            raise self._failed(asked, exc) from exc
        except ProviderError as exc:
            self._note(Step(asked, exc.detail))
            return Challenge()
        challenge = None
        self._protected = reply.status == HTTPStatus.UNAUTHORIZED
        if self._protected:
            challenge = parse_challenge(reply.headers.get("www-authenticate", ""))
        names = "with" if challenge and challenge.resource_metadata else "without"
        self._note(Step(asked, f"HTTP {reply.status} {names} a challenge that names its metadata"))
        return challenge or Challenge()

    # -- the authorization server -----------------------------------------------------------------------

    async def _find_metadata(self, issuers: Sequence[str]) -> ServerMetadata:
        """The first issuer whose metadata holds."""
        last: DiscoveryFailed | None = None
        for issuer in issuers:
            try:
                metadata = await self._ask_issuer(issuer)
            except DiscoveryFailed as exc:
                if self._late:
                    raise
                last = exc
                continue
            if metadata is not None:
                return metadata
        if last is not None and self._unreadable is None:
            raise last
        raise self._nothing_usable()

    async def _ask_issuer(self, issuer: str) -> ServerMetadata | None:
        for url in build_server_metadata_urls(issuer):
            metadata = await self._read(url, lambda reply: self._parse_server(reply, issuer))
            if metadata is not None:
                return metadata
        return None

    async def _find_at_origin(self, *, silent: bool) -> ServerMetadata:
        """Servers from before RFC 9728 in MCP (2025-03-26): the MCP server's origin is the issuer.

        Nobody wrote that issuer down, so it may call itself with a last slash or without. A server that wants a
        token and publishes nothing at all has its endpoints at fixed places there. Nothing then says that it does
        PKCE, so an administrator has to (``assume_pkce``).

        Args:
            silent: the MCP server publishes no resource metadata.
        """
        origin = origin_of(self._url)

        def parse(reply: Reply) -> ServerMetadata:
            try:
                return self._parse_server(reply, origin)
            except DiscoveryFailed:
                return self._parse_server(reply, f"{origin}/")

        for url in build_server_metadata_urls(origin):
            metadata = await self._read(url, parse)
            if metadata is not None:
                return metadata
        if self._unreadable is not None:
            raise self._nothing_usable()
        old = silent and self._protected
        if old and self._config.assume_pkce:
            return build_default_metadata(origin)
        raise IssuerMissing(
            f"neither the gateway nor its server names an authorization server ({self._told()})",
            remedy=_REMEDY_FOR_OLD if old else None,
        )

    def _parse_server(self, reply: Reply, issuer: str) -> ServerMetadata:
        return parse_server_metadata(reply, issuer, allow_http=self._allow_http)

    # -- both -------------------------------------------------------------------------------------------

    async def _read(self, url: str, parse: Callable[[Reply], DocumentT]) -> DocumentT | None:
        """Ask one URL. None if nothing usable is there, which ``_steps`` explains."""
        asked = f"GET {_bare(url)}"
        try:
            reply = await self._in_time(self._upstream.get(url, headers={"accept": "application/json"}))
            document = parse(reply) if reply.status == HTTPStatus.OK else None
        except (ProviderUnreachable, DiscoveryFailed) as exc:
            raise self._failed(asked, exc) from exc
        except ProviderUnreadable as exc:
            self._note(Step(asked, exc.detail))
            self._unreadable = exc
            return None
        self._note(Step(asked, _status(reply)))
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._nothing_usable()
        return document

    async def _in_time(self, asked: Awaitable[Reply]) -> Reply:
        """Wait for an answer, under the deadline of the whole search."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asked
        except TimeoutError as exc:
            self._late = True
            raise ProviderTimeout("no whole answer in time", sent=True) from exc

    def _note(self, step: Step) -> None:
        self._steps.append(step)
        self._on_step(step)

    def _failed(self, asked: str, cause: ProviderError) -> DiscoveryFailed:
        self._note(Step(asked, cause.detail))
        remedy = cause.remedy if isinstance(cause, AddressRefused | DiscoveryFailed) else None
        error = DiscoveryFailed(self._told(), remedy=remedy)
        if isinstance(cause, ProviderTimeout):
            error.status = cause.status
        return error

    def _nothing_usable(self) -> DiscoveryFailed:
        return DiscoveryFailed(f"no usable metadata ({self._told()})")

    def _told(self) -> str:
        return "; ".join(str(step) for step in self._steps)


def _status(reply: Reply) -> str:
    redirected = f", a redirect to {_bare(target)!a}" if (target := reply.headers.get("location")) else ""
    return f"HTTP {reply.status}{redirected}"


def _bare(url: str) -> str:
    return url.partition("?")[0][:200]
