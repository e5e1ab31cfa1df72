"""Asks an authorization server's token and revocation endpoints: builds, sends, parses; keeps nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from latchpin.contracts import TokenRequestParts
from latchpin.errors import ConfigurationError, LatchpinError
from latchpin.model import ClientCredentials, IdentityAssertion, OAuthConfig, ServerMetadata, TokenGrant
from latchpin.model.server_profile import ServerProfile
from latchpin.oauth.callback import ValidatedCallback
from latchpin.oauth.exchange import build_exchange_request, build_jwt_bearer_request, parse_exchange_reply
from latchpin.oauth.token_request import (
    build_client_credentials_request,
    build_code_request,
    build_refresh_request,
    build_revocation_request,
)
from latchpin.outbound.proofs import DpopBinding, DpopProofs, bound_of
from latchpin.services import Services
from latchpin.tokens.sending import TokenSender

__all__ = ["Revocation", "TokenEndpoint"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """Whether a token was revoked, and a sentence on what its server said."""

    done: bool
    answer: str


class TokenEndpoint:
    """One method for each grant. What is safe to repeat is said here."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.prover = DpopProofs(services.kept, services.cipher, services.clock)
        self._sender = TokenSender(services, self.prover)

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
            bound=bound_of(pending.key.gateway_id, server),
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
        provider: ServerProfile | None = None,
        bound: DpopBinding | None = None,
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
        return await self._sender.send(provider, request, bound=bound, hidden=(code, verifier))

    async def refresh(
        self,
        server: ServerMetadata,
        client: ClientCredentials,
        refresh_token: str,
        *,
        resource: str | None,
        bound: DpopBinding | None = None,
    ) -> TokenGrant:
        """Redeem a refresh token, once: with rotation, a repeat would look like theft (RFC 9700 section 4.14)."""
        request = build_refresh_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            refresh_token=refresh_token,
            resource=resource,
        )
        return await self._sender.send(server.provider, request, bound=bound, hidden=(refresh_token,))

    async def client_credentials(
        self,
        config: OAuthConfig,
        server: ServerMetadata,
        client: ClientCredentials,
        *,
        scopes: tuple[str, ...],
        resource: str | None,
        bound: DpopBinding | None = None,
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
        return await self._sender.send(server.provider, request, bound=bound, repeatable=True)

    async def jwt_bearer(
        self,
        config: OAuthConfig,
        server: ServerMetadata,
        client: ClientCredentials,
        assertion: str,
        *,
        scopes: tuple[str, ...],
        resource: str | None,
        bound: DpopBinding | None = None,
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
        return await self._sender.send(server.provider, request, bound=bound, hidden=(assertion,))

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
    ) -> Revocation:
        """Revoke a token where the server offers it (RFC 7009)."""
        if server.revocation_endpoint is None:
            offers_none = "The authorization server offers no revocation; the token stays valid there until it expires."
            return Revocation(done=False, answer=offers_none)
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
            return Revocation(
                done=False, answer=f"The authorization server could not be told: {exc.detail or exc.public}"
            )
        if reply.status // 100 == 2:  # noqa: PLR2004  any success
            return Revocation(done=True, answer="The authorization server revoked the token.")
        answer = f"The authorization server answered the revocation with HTTP {reply.status}."
        return Revocation(done=False, answer=answer)

    def _authenticate(self, client: ClientCredentials, issuer: str | None, token_url: str) -> TokenRequestParts:
        method = self._services.authentications.get(client.auth_method)
        if method is None:
            have = ", ".join(sorted(self._services.authentications))
            raise ConfigurationError(
                f"no installed plugin does the client authentication '{client.auth_method}'; installed: {have}",
                remedy="Set token_endpoint_auth_method on the gateway to an installed method.",
            )
        return method.authenticate(client, issuer=issuer, token_endpoint=token_url, now=self._services.clock())
