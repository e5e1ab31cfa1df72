"""The assertion that a JWT bearer grant is asked with: a workload's own JWT, or an identity provider's ID-JAG.

An ID-JAG (Identity Assertion Authorization Grant, MCP's enterprise-managed authorization, SEP-990) is made anew by the
identity provider each time: it is for one authorization server, lives for minutes, and is not kept here.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from latchpin.clients.secrets import open_configured_secret
from latchpin.errors import (
    AssertionRefused,
    AssertionUnusable,
    ConfigurationError,
    IdentityAssertionRequired,
    TokenRefused,
)
from latchpin.model import Caller, ClientCredentials, Gateway, IdentityAssertion, IdentityProvider, OAuthConfig
from latchpin.oauth.assertions import LONGEST_ASSERTION, read_expiry
from latchpin.oauth.client_auth import choose_method
from latchpin.oauth.grants import grant_subject
from latchpin.servers.found import FoundServer
from latchpin.services import Services
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.identity_providers import IdentityProviders, provider_of

__all__ = ["Assertions"]

_OWN_FAULTS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Refusals by an identity provider that no other ID token would mend."""
_ADMINISTRATOR = (
    "An administrator checks this gateway's client at the identity provider: its id, its secret, and that it may do "
    "token exchange."
)
_FRESH = (
    "Get a fresh ID token and hand it in; if it repeats, ask the identity provider's administrator whether you may use "
    "this server."
)


class Assertions:
    """Comes by assertions; keeps none."""

    def __init__(self, services: Services, endpoint: TokenEndpoint) -> None:
        self._services = services
        self._endpoint = endpoint
        self._providers = IdentityProviders(services)

    async def get(
        self, gateway: Gateway, found: FoundServer, caller: Caller | None, *, scopes: tuple[str, ...]
    ) -> str | None:
        """The assertion for a gateway at the server that was found; None if its grant needs none.

        Raises:
            IdentityAssertionRequired: the caller's identity provider has not vouched, or what it said has expired.
            AssertionRefused: the identity provider does not vouch for the caller at that server.
            AssertionUnusable: the workload's JWT is missing or has expired.
            ProviderError: the identity provider cannot be asked.
        """
        config = gateway.oauth
        voucher = grant_subject(config) if config is not None else None
        if config is not None and voucher == "workload":
            return await self._workloads(gateway, config)
        if config is not None and voucher == "identity-provider":
            return await self._exchanged(gateway, found, caller, scopes)
        return None

    # -- a workload ---------------------------------------------------------------------------------------

    async def _workloads(self, gateway: Gateway, config: OAuthConfig) -> str:
        """The JWT on the entry, or in the file, which is read each time: whoever issues it replaces it there."""
        name = config.assertion_file
        text = open_configured_secret(gateway, self._services.cipher, column="assertion")
        if name is not None:
            text = await asyncio.to_thread(self._read_file, name)
        return _check_workload((text or "").strip(), name, self._services.clock())

    def _read_file(self, name: str) -> str:
        folder = self._services.settings.assertion_folder
        if folder is None:
            raise AssertionUnusable(
                f"the file {name} is not read: no folder of such files is set", remedy="Set ASSERTION_FOLDER."
            )
        try:
            with (Path(folder) / name).open(encoding="ascii") as file:
                return file.read(LONGEST_ASSERTION + 2)
        except (OSError, ValueError) as exc:
            why = (exc.strerror if isinstance(exc, OSError) else None) or "it is not ASCII text"
            raise AssertionUnusable(
                f"the file {name} in ASSERTION_FOLDER cannot be read: {why}",
                remedy="Check that the file is there and that the gateway's process may read it.",
            ) from exc

    # -- a person -----------------------------------------------------------------------------------------

    async def _exchanged(
        self, gateway: Gateway, found: FoundServer, caller: Caller | None, scopes: tuple[str, ...]
    ) -> str:
        provider = provider_of(gateway, self._services)
        audience = found.metadata.issuer
        if audience is None:
            raise ConfigurationError(
                "the authorization server's issuer is not known, and the identity provider has to be told it",
                remedy="Set oauth_config.issuer on the gateway.",
            )
        subject = await self._subject(gateway, provider, caller)
        server = await self._providers.find(provider)
        method = choose_method(None, server.token_endpoint_auth_methods_supported, bool(provider.client_secret))
        client = ClientCredentials(provider.client_id, provider.client_secret, method)
        resource = found.resource or (None if found.config.omit_resource else gateway.url)
        try:
            return await self._endpoint.exchange_identity(
                server, client, subject, audience=audience, resource=resource, scopes=scopes
            )
        except TokenRefused as exc:
            raise _refused(exc, provider, audience) from exc

    async def _subject(self, gateway: Gateway, provider: IdentityProvider, caller: Caller | None) -> IdentityAssertion:
        if caller is not None:
            for source in self._services.assertion_sources:
                found = await source.find(caller, provider)
                if found is not None:
                    return found
        url = f"{self._services.settings.base_url}/oauth/identity-assertion/{gateway.id}"
        raise IdentityAssertionRequired(
            f"{provider.issuer} has to vouch for you at this gateway, and no ID token of yours from there holds now",
            remedy=f"Call with a bearer token of {provider.issuer}, or hand in your ID token: "
            f'curl -X PUT {url} -H "Authorization: Bearer ..." --json \'{{"id_token": "..."}}\'',
        )


def _refused(exc: TokenRefused, provider: IdentityProvider, audience: str) -> AssertionRefused:
    detail = f"the identity provider {provider.issuer} gives no grant for {audience}: {exc.detail}"
    remedy = _ADMINISTRATOR if exc.error in _OWN_FAULTS else _FRESH
    return AssertionRefused(detail, error=exc.error, remedy=remedy)


def _check_workload(token: str, name: str | None, now: datetime) -> str:
    where = f"the file {name} in ASSERTION_FOLDER" if name is not None else "the gateway's assertion"
    expires_at = read_expiry(token)
    if expires_at is None:
        raise AssertionUnusable(f"{where} holds no JWT of at most 16 kB that says when it expires")
    if expires_at <= now:
        raise AssertionUnusable(
            f"the JWT in {where} expired at {expires_at.isoformat()}",
            remedy="Whatever issues the JWT has to replace it; a gateway's assertion is entered anew.",
        )
    return token
