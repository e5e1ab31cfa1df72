"""Asks an authorization server's token and revocation endpoints: builds, sends, parses; keeps nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from latchpin.contracts import GrantParameters, TokenRequestParts
from latchpin.errors import ConfigurationError, LatchpinError, UpstreamError, UpstreamUnreadable
from latchpin.errors.causes.upstream import AT_TOKEN_ENDPOINT
from latchpin.model import ClientCredentials, Reply, ServerMetadata, TokenGrant
from latchpin.model.server_profile import ServerProfile
from latchpin.oauth.dpop import DPOP, NONCE_HEADER, asks_for_nonce
from latchpin.oauth.token_reply import parse_token_reply
from latchpin.oauth.token_request import (
    TokenRequest,
    build_code_request,
    build_grant_request,
    build_refresh_request,
    build_revocation_request,
    build_token_request,
)
from latchpin.outbound.proofs import DpopBinding, DpopProofs
from latchpin.outbound.upstream import host_of
from latchpin.servers.found import FoundServer
from latchpin.services import Services

__all__ = ["Revocation", "TokenEndpoint"]

_log = logging.getLogger("latchpin.tokens")

_MAY_CHANGE, _FAILED = frozenset({401, 408, 429}), 500
"""Answers to a revocation that may be others later: the client's secret is corrected, the server has time again."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Whether a token was revoked, and a sentence on what its server said.

    Attributes:
        again: another try may end otherwise.
    """

    done: bool
    answer: str
    again: bool = False


class TokenEndpoint:
    """One method for each grant. What is safe to repeat is said here."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.proofs = DpopProofs(services.kept, services.cipher, services.clock)
        self._default_lifetime = timedelta(seconds=services.settings.oauth_default_timeout)

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
        """Exchange the code of an answer that was judged elsewhere, once.

        Raises:
            UpstreamError: refused, unreachable or unreadable, or the token is not bound as it has to be.
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
        return await self._send(provider, request, bound=bound, hidden=(code, verifier))

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
        return await self._send(server.provider, request, bound=bound, hidden=(refresh_token,))

    async def grant(
        self,
        found: FoundServer,
        client: ClientCredentials,
        parameters: GrantParameters,
        *,
        scopes: tuple[str, ...],
        bound: DpopBinding | None = None,
    ) -> TokenGrant:
        """Get a token by the entry's grant; ask again only if the grant says that it is safe to repeat."""
        config, server = found.config, found.metadata
        request = build_grant_request(
            token_url=server.token_endpoint,
            client_id=client.client_id,
            authentication=self._authenticate(client, server.issuer, server.token_endpoint),
            fields={"grant_type": config.grant_type, **parameters.fields},
            scopes=scopes,
            scope_separator=config.scope_separator or " ",
            resource=found.resource,
            audience=config.audience,
        )
        hidden = tuple(parameters.fields.values())
        return await self._send(server.provider, request, bound=bound, hidden=hidden, repeatable=parameters.repeatable)

    async def post(self, server: ServerMetadata, client: ClientCredentials, fields: Mapping[str, str | None]) -> Reply:
        """POST ``fields`` to another token endpoint, such as an identity provider's; safe to repeat."""
        authentication = self._authenticate(client, server.issuer, server.token_endpoint)
        request = build_token_request(server.token_endpoint, client.client_id, authentication, fields)
        return await self._post(request, request.headers, repeatable=True)

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
            reply = await self._post(request, request.headers, repeatable=True)
        except LatchpinError as exc:
            answer = f"The authorization server could not be told: {exc.detail or exc.public}"
            return Revocation(done=False, answer=answer, again=True)
        if reply.status // 100 == 2:  # noqa: PLR2004  any success
            return Revocation(done=True, answer="The authorization server revoked the token.")
        answer = f"The authorization server answered the revocation with HTTP {reply.status}."
        return Revocation(done=False, answer=answer, again=reply.status in _MAY_CHANGE or reply.status >= _FAILED)

    def _authenticate(self, client: ClientCredentials, issuer: str | None, token_url: str) -> TokenRequestParts:
        method = self._services.authentications.get(client.auth_method)
        if method is None:
            have = ", ".join(sorted(self._services.authentications))
            raise ConfigurationError(
                f"no installed plugin does the client authentication '{client.auth_method}'; installed: {have}",
                remedy="Set token_endpoint_auth_method on the gateway to an installed method.",
            )
        return method.authenticate(client, issuer=issuer, token_endpoint=token_url, now=self._services.clock())

    async def _send(
        self,
        provider: ServerProfile | None,
        request: TokenRequest,
        *,
        bound: DpopBinding | None = None,
        hidden: tuple[str, ...] = (),
        repeatable: bool = False,
    ) -> TokenGrant:
        """Send, as the server wants it, once; again if nothing was sent, if ``repeatable``, or for a proof's nonce."""
        lifetime = self._default_lifetime
        if provider is not None:
            request = request.as_json() if provider.json_token_requests else request
            lifetime = provider.token_lifetime or lifetime
        try:
            if bound is None:
                reply = await self._post(request, request.headers, repeatable=repeatable)
            else:
                reply = await self._post_proven(request, bound)
            grant = parse_token_reply(
                reply, now=self._services.clock(), default_lifetime=lifetime, hidden=hidden, bound=bound is not None
            )
        except UpstreamError as exc:
            exc.narrow(AT_TOKEN_ENDPOINT)
            raise
        for what in grant.passed_over:
            _log.warning("%s answered with %s, which is passed over", host_of(request.url), what)
        if bound is not None and bound.required and grant.token_type != DPOP:
            raise UpstreamUnreadable(
                f"{host_of(request.url)} gave a token that is not bound to this gateway's key, and the gateway's entry "
                "wants it bound (dpop)."
            )
        return grant

    async def _post(self, request: TokenRequest, headers: Mapping[str, str], *, repeatable: bool) -> Reply:
        return await self._services.upstream.send(
            "POST", request.url, headers=headers, body=request.body, repeatable=repeatable
        )

    async def _post_proven(self, request: TokenRequest, bound: DpopBinding) -> Reply:
        """Send with a proof; once more if the server did nothing but ask for its nonce (RFC 9449 section 8)."""
        reply, learnt = await self._prove_and_post(request, bound)
        if learnt and asks_for_nonce(reply):
            reply, _ = await self._prove_and_post(request, bound)
        return reply

    async def _prove_and_post(self, request: TokenRequest, bound: DpopBinding) -> tuple[Reply, bool]:
        """The answer, and whether it told a nonce."""
        proof = await self.proofs.prove(bound.gateway_id, "POST", request.url)
        reply = await self._post(request, {**request.headers, "dpop": proof}, repeatable=False)  # a proof serves once
        return reply, self.proofs.learn(bound.gateway_id, request.url, reply.headers.get(NONCE_HEADER))
