"""Which authorization server each gateway has: found once for many users, remembered for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Upstream
from latchpin.errors import ConfigurationError, DiscoveryFailed, IssuerMissing, PkceUnsupported
from latchpin.errors.causes.upstream import ISSUER_MOVED
from latchpin.model import Gateway, OAuthConfig
from latchpin.model.server_profile import ServerProfile
from latchpin.oauth.discovery import FROM_SETTINGS, build_metadata_from_settings, check_pkce
from latchpin.oauth.server_profiles import ProviderTable, apply_provider
from latchpin.servers.discovery_client import DiscoveryClient, OnStep, tell_nobody
from latchpin.servers.found import FoundServer, Step
from latchpin.servers.search import Search
from latchpin.settings.core import CoreSettings
from latchpin.workers.bounded import Bounded
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["FoundServer", "ServerDirectory", "Step"]

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What was found for a revision of a gateway.

    Attributes:
        judged: the same as it may be used; None until it was judged.
        until: when to search anew; None: nothing was searched for.
    """

    revision: int
    found: FoundServer
    judged: FoundServer | None
    until: datetime | None


class ServerDirectory:
    """Finds the authorization server of a gateway, in this order: its entry, its issuer, its MCP server.

    What was found is remembered for DCR_METADATA_CACHE_TTL and for this revision of the gateway, and so is what was
    made of it; failures are not. However many callers ask at once, one search is under way for a gateway's revision.

    Args:
        upstream: the guarded way out.
        settings: the core's.
        clock: the current time.
        providers: what real providers need beyond the standard; the first that holds counts.
    """

    def __init__(
        self, upstream: Upstream, settings: CoreSettings, clock: Clock, providers: Sequence[ServerProfile] = ()
    ) -> None:
        self._upstream = upstream
        self._providers = ProviderTable(providers)
        self._settings = settings
        self._clock = clock
        self._lifetime = timedelta(seconds=settings.dcr_metadata_cache_ttl)
        self._remembered: Bounded[str, _Remembered] = Bounded(_MOST_REMEMBERED)
        self._searches: SharedTasks[tuple[str, int], _Remembered] = SharedTasks()

    async def find(self, gateway: Gateway) -> FoundServer:
        """Find where this gateway's users authorize.

        Raises:
            DiscoveryFailed: the server's metadata could not be had or believed, not within OAUTH_REQUEST_TIMEOUT
                (status 504), or names an issuer other than the one pinned; the detail lists what was asked and
                what came back.
            IssuerMissing: nothing names an authorization server.
            PkceUnsupported: the server does not offer PKCE, and the entry does not assume it.
            ConfigurationError: the gateway does not use OAuth.
        """
        config = _config_of(gateway)
        kept = self._recall(gateway)
        if kept is not None and kept.judged is not None:
            return kept.judged
        if kept is None:
            kept = await self._find_anew(gateway, config)
        try:
            judged = self._judge(gateway, config, kept.found)
        except PkceUnsupported:
            self.forget(gateway.id)  # once the server's operator has mended it, it works at once
            raise
        if kept.until is None or self._remembered.get(gateway.id) is kept:  # else it was forgotten meanwhile
            self._remembered[gateway.id] = replace(kept, judged=judged)
        return judged

    async def explore(self, gateway: Gateway, on_step: OnStep) -> FoundServer:
        """Find it as ``find`` does, but anew, and tell each step; nothing of it is remembered.

        Raises:
            As ``find``.
        """
        config = _config_of(gateway)
        found = self._stated(config) or await self._build_search(gateway, config, on_step).run()
        return self._judge(gateway, config, found)

    def carry(self, gateway: Gateway, pinned: Gateway) -> None:
        """Keep what was found for ``gateway`` for its next revision, which differs only in the issuer's pin."""
        kept = self._remembered.get(gateway.id)
        if (
            kept is not None
            and kept.revision == gateway.revision
            and (pinned.url, pinned.oauth) == (gateway.url, gateway.oauth)
        ):
            self._remembered[gateway.id] = replace(kept, revision=pinned.revision, judged=None)

    async def named_issuer(self, gateway: Gateway) -> str | None:
        """The issuer that the gateway's server names now, asked anew, whatever is pinned; raises as ``find`` does."""
        config = _config_of(gateway)
        self.forget(gateway.id)
        named = (await self._search(gateway, config)).found.metadata.issuer
        self.forget(gateway.id)
        return named

    def forget(self, gateway_id: str) -> None:
        """Search anew next time: the MCP server no longer takes fresh tokens, so it may have moved."""
        self._remembered.pop(gateway_id, None)

    def _stated(self, config: OAuthConfig) -> FoundServer | None:
        """What the entry says by itself. Without a client_id a registration endpoint must be looked for."""
        searchable = self._settings.oauth_discovery_enabled
        metadata = build_metadata_from_settings(config)
        if metadata is not None and (config.client_id is not None or not searchable):
            metadata = replace(metadata, dpop="required" if config.dpop else None)  # nothing is asked that could tell
            return FoundServer(metadata, resource=config.resource)
        if not searchable:
            raise IssuerMissing(
                "discovery is switched off (OAUTH_DISCOVERY_ENABLED=false), and the gateway's entry lacks its URLs",
                remedy="Set authorization_url, token_url and client_id on the gateway, or switch discovery on.",
            )
        return None

    def _judge(self, gateway: Gateway, config: OAuthConfig, found: FoundServer) -> FoundServer:
        """Refuse what may not be used; add what is known of the server beyond what it and the entry say."""
        self._check_pin(gateway, config, found)
        provider = self._providers.find(config, found.metadata)
        complete = apply_provider(config, provider, resource=found.resource)
        if config.grant_type == "authorization_code":
            method = self._settings.oauth_preferred_code_challenge_method
            check_pkce(found.metadata, method, assume=bool(complete.assume_pkce))
        return replace(
            found,
            metadata=replace(found.metadata, provider=provider),
            resource=None if complete.omit_resource else found.resource,
            config=complete,
            ceiling=self._settings.oauth_scope_ceiling,
        )

    def _recall(self, gateway: Gateway) -> _Remembered | None:
        kept = self._remembered.get(gateway.id)
        if kept is None or kept.revision != gateway.revision:
            return None
        return kept if kept.until is None or self._clock() < kept.until else None

    async def _find_anew(self, gateway: Gateway, config: OAuthConfig) -> _Remembered:
        stated = self._stated(config)
        if stated is not None:
            return _Remembered(gateway.revision, stated, None, None)
        return await self._search(gateway, config)

    async def _search(self, gateway: Gateway, config: OAuthConfig) -> _Remembered:
        return await self._searches.run((gateway.id, gateway.revision), lambda: self._search_once(gateway, config))

    async def _search_once(self, gateway: Gateway, config: OAuthConfig) -> _Remembered:
        found = await self._build_search(gateway, config).run()
        kept = _Remembered(gateway.revision, found, None, self._clock() + self._lifetime)
        self._remembered[gateway.id] = kept
        return kept

    def _build_search(self, gateway: Gateway, config: OAuthConfig, on_step: OnStep = tell_nobody) -> Search:
        return Search(
            DiscoveryClient(self._upstream, timeout=self._settings.oauth_request_timeout, on_step=on_step),
            gateway.url,
            config,
            preferred=gateway.pinned_issuer,
            allow_http=self._settings.oauth_allow_private_networks,
        )

    def _check_pin(self, gateway: Gateway, config: OAuthConfig, found: FoundServer) -> None:
        pinned, named = gateway.pinned_issuer, found.metadata.issuer
        theirs_to_say = config.issuer is None and found.metadata.source != FROM_SETTINGS
        if pinned is None or not theirs_to_say or named == pinned or self._settings.oauth_follow_issuer_change:
            return
        self.forget(gateway.id)
        raise DiscoveryFailed().explain_as(
            ISSUER_MOVED,
            url=gateway.url,
            named=named,
            pinned=pinned,
            remedy=f"If the server really moved, an administrator confirms it with: latchpin gateways confirm-issuer "
            f"{gateway.id} (or POST /gateways/{gateway.id}/issuer); OAUTH_FOLLOW_ISSUER_CHANGE=true follows every "
            "such change.",
        )


def _config_of(gateway: Gateway) -> OAuthConfig:
    if gateway.oauth is None:
        raise ConfigurationError(f"gateway '{gateway.name}' does not use OAuth")
    return gateway.oauth
