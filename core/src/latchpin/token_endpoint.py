"""Asks an authorization server's token and revocation endpoints: builds, sends, parses; keeps nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from latchpin.causes.provider import AT_TOKEN_ENDPOINT
from latchpin.contracts import TokenRequestParts
from latchpin.errors import ConfigurationError, LatchpinError, ProviderError
from latchpin.model import ClientCredentials, IdentityAssertion, OAuthConfig, ServerMetadata, TokenGrant
from latchpin.oauth.callback import ValidatedCallback
from latchpin.oauth.exchange import build_exchange_request, build_jwt_bearer_request, parse_exchange_reply
from latchpin.oauth.token import (
    TokenRequest,
    build_client_credentials_request,
    build_code_request,
    build_refresh_request,
    build_revocation_request,
    parse_token_reply,
)
from latchpin.providers import Provider
from latchpin.services import Services

__all__ = ["TokenEndpoint"]


class TokenEndpoint:
    """One method for each grant. What is safe to repeat is said here."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._default_lifetime = timedelta(seconds=services.settings.oauth_default_timeout)

    async def exchange(
        self, server: ServerMetadata, validated: ValidatedCallback, verifier: str, client: ClientCredentials
    ) -> TokenGrant:
        """Exchange an authorization code, once.

        Raises:
            ProviderError: refused, unreachable or unreadable.
        """
        pending = validated.pending
        return await self.redeem(
            client,
            issuer=pending.issuer,
            token_url=pending.token_url,
            code=validated.code,
            verifier=verifier,
            redirect_uri=pending.redirect_uri,
            resource=pending.resource,
            provider=server.provider,
        )

    async def redeem(
        self,
        client: ClientCredentials,
        *,
        issuer: str | None,
        token_url: str,
        code: str,
        verifier: str,
        redirect_uri: str,
        resource: str | None = None,
        provider: Provider | None = None,
    ) -> TokenGrant:
        """Redeem the code of an answer that was judged elsewhere, once.

        Raises:
            ProviderError: refused, unreachable or unreadable.
            ConfigurationError: the client cannot prove itself in its way.
        """
        request = build_code_request(
            token_url=token_url,
            client_id=client.client_id,
            authentication=self._authenticate(client, issuer, token_url),
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            resource=resource,
        )
        return await self._send(provider, request, hidden=(code, verifier))

    async def refresh(
        self, server: ServerMetadata, client: ClientCredentials, refresh_token: str, *, resource: str | None
    ) -> TokenGrant:
        """Redeem a refresh token, once: with rotation, a repeat would look like theft (RFC 9700 section 4.14)."""
        request = build_refresh_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            refresh_token=refresh_token,
            resource=resource,
        )
        return await self._send(server.provider, request, hidden=(refresh_token,))

    async def client_credentials(
        self,
        config: OAuthConfig,
        server: ServerMetadata,
        client: ClientCredentials,
        *,
        scopes: tuple[str, ...],
        resource: str | None,
    ) -> TokenGrant:
        """Get a token for the gateway itself; safe to repeat."""
        request = build_client_credentials_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            scopes=scopes,
            scope_separator=config.scope_separator or " ",
            resource=resource,
            audience=config.audience,
        )
        return await self._send(server.provider, request, repeatable=True)

    async def jwt_bearer(
        self,
        config: OAuthConfig,
        server: ServerMetadata,
        client: ClientCredentials,
        assertion: str,
        *,
        scopes: tuple[str, ...],
        resource: str | None,
    ) -> TokenGrant:
        """Redeem an assertion, once: a server may take each only once (RFC 7523 section 3)."""
        request = build_jwt_bearer_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            assertion=assertion,
            scopes=scopes,
            scope_separator=config.scope_separator or " ",
            resource=resource,
            audience=config.audience,
        )
        return await self._send(server.provider, request, hidden=(assertion,))

    async def exchange_identity(
        self,
        server: ServerMetadata,
        client: ClientCredentials,
        subject: IdentityAssertion,
        *,
        audience: str,
        resource: str | None,
        scopes: tuple[str, ...],
    ) -> str:
        """Exchange an identity assertion for an ID-JAG at the identity provider ``server``; safe to repeat."""
        request = build_exchange_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            subject=subject,
            audience=audience,
            resource=resource,
            scopes=scopes,
        )
        reply = await self._services.upstream.send(
            "POST", request.url, headers=request.headers, body=request.body, repeatable=True
        )
        return parse_exchange_reply(reply, hidden=(subject.token,))

    async def revoke(
        self,
        server: ServerMetadata,
        client: ClientCredentials,
        token: str,
        hint: Literal["access_token", "refresh_token"],
    ) -> str:
        """Revoke a token where the server offers it (RFC 7009); return a sentence on what it said."""
        if server.revocation_endpoint is None:
            return "The authorization server offers no revocation; the token stays valid there until it expires."
        try:
            request = build_revocation_request(
                revocation_url=server.revocation_endpoint,
                client_id=client.client_id,
                authentication=self._authenticate(client, server.issuer, server.token_endpoint),
                token=token,
                token_type_hint=hint,
            )
            reply = await self._services.upstream.send(
                "POST", request.url, headers=request.headers, body=request.body, repeatable=True
            )
        except LatchpinError as exc:
            return f"The authorization server could not be told: {exc.detail or exc.public}"
        if reply.status // 100 == 2:  # noqa: PLR2004  any success
            return "The authorization server revoked the token."
        return f"The authorization server answered the revocation with HTTP {reply.status}."

    async def _send(
        self,
        provider: Provider | None,
        request: TokenRequest,
        *,
        hidden: tuple[str, ...] = (),
        repeatable: bool = False,
    ) -> TokenGrant:
        """Send what was built, as the provider is known to want it."""
        lifetime = self._default_lifetime
        if provider is not None:
            request = request.as_json() if provider.json_token_requests else request
            lifetime = provider.token_lifetime or lifetime
        try:
            reply = await self._services.upstream.send(
                "POST", request.url, headers=request.headers, body=request.body, repeatable=repeatable
            )
            return parse_token_reply(reply, now=self._services.clock(), default_lifetime=lifetime, hidden=hidden)
        except ProviderError as exc:
            exc.narrow(AT_TOKEN_ENDPOINT)
            raise

    def _authenticate(self, client: ClientCredentials, issuer: str | None, token_url: str) -> TokenRequestParts:
        method = self._services.authentications.get(client.auth_method)
        if method is None:
            have = ", ".join(sorted(self._services.authentications))
            raise ConfigurationError(
                f"no installed plugin does the client authentication '{client.auth_method}'; installed: {have}",
                remedy="Set token_endpoint_auth_method on the gateway to an installed method.",
            )
        return method.authenticate(client, issuer=issuer, token_endpoint=token_url, now=self._services.clock())
