"""Which identity provider vouches for a gateway's users, and where its token endpoint is."""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin import Context
from latchpin.contracts import Cipher
from latchpin.errors import ConfigurationError, DiscoveryFailed, UpstreamError
from latchpin.model import Gateway, IdentityProvider, ServerMetadata
from latchpin.sdk.gateway import open_configured_secret
from latchpin.sdk.oauth import build_server_metadata_urls, parse_server_metadata
from latchpin.sdk.settings import CoreSettings

from latchpin_enterprise.settings import EnterpriseSettings

__all__ = ["IdentityProviders", "provider_of"]

_OK = 200
_MOST_REMEMBERED = 1_000
SECRET = "identity_provider_client_secret"  # noqa: S105  a field's name


def provider_of(gateway: Gateway, settings: EnterpriseSettings, cipher: Cipher) -> IdentityProvider:
    """The provider on the gateway's entry with the client there, else the settings'. One or the other, never mixed.

    Raises:
        ConfigurationError: neither names one.
        Unsealable: the client's secret was sealed under a secret that is gone.
    """
    config = gateway.oauth
    if config is not None and config.identity_provider is not None and config.identity_provider_client_id is not None:
        return IdentityProvider(
            issuer=config.identity_provider,
            token_url=config.identity_provider_token_url,
            client_id=config.identity_provider_client_id,
            client_secret=open_configured_secret(gateway, cipher, column=SECRET),
        )
    if settings.identity_provider is None or settings.identity_provider_client_id is None:
        raise ConfigurationError(
            f"gateway '{gateway.name}' gets its tokens by an identity provider's word, and none is named",
            remedy="Set identity_provider and identity_provider_client_id on the gateway, or IDENTITY_PROVIDER and "
            "IDENTITY_PROVIDER_CLIENT_ID for all.",
        )
    secret = settings.identity_provider_client_secret
    return IdentityProvider(
        issuer=settings.identity_provider,
        token_url=settings.identity_provider_token_url,
        client_id=settings.identity_provider_client_id,
        client_secret=secret.get_secret_value() if secret is not None else None,
    )


class IdentityProviders:
    """Finds identity providers' token endpoints and remembers them for DCR_METADATA_CACHE_TTL."""

    def __init__(self, core: CoreSettings, context: Context) -> None:
        self._upstream = context.upstream
        self._clock = context.clock
        self._allow_http = core.oauth_allow_private_networks
        self._lifetime = timedelta(seconds=core.dcr_metadata_cache_ttl)
        self._remembered: dict[str, tuple[ServerMetadata, datetime]] = {}

    async def find(self, provider: IdentityProvider) -> ServerMetadata:
        """Its metadata (RFC 8414, OpenID Connect Discovery), or just the token endpoint where that is entered.

        Raises:
            DiscoveryFailed: nothing at the provider's own addresses says where its token endpoint is.
        """
        if provider.token_url is not None:
            return ServerMetadata(provider.issuer, None, provider.token_url)
        kept = self._remembered.get(provider.issuer)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        found = await self._ask(provider.issuer)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[provider.issuer] = (found, self._clock() + self._lifetime)
        return found

    async def _ask(self, issuer: str) -> ServerMetadata:
        told: list[str] = []
        for url in build_server_metadata_urls(issuer):
            try:
                reply = await self._upstream.get(url)
                if reply.status == _OK:
                    return parse_server_metadata(reply, issuer, allow_http=self._allow_http)
                told.append(f"{url}: HTTP {reply.status}")
            except UpstreamError as exc:
                told.append(f"{url}: {exc.detail}")
        raise DiscoveryFailed(
            f"the identity provider's token endpoint is not known ({'; '.join(told)})",
            remedy="Check the identity provider's issuer, or enter its token endpoint "
            "(identity_provider_token_url, IDENTITY_PROVIDER_TOKEN_URL).",
        )
