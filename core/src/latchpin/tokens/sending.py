"""Sends token requests: as the provider is known to want them, and with a proof where the token is to be bound."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from latchpin.errors import UpstreamError, UpstreamUnreadable
from latchpin.errors.causes.upstream import AT_TOKEN_ENDPOINT
from latchpin.model import Reply, TokenGrant
from latchpin.model.server_profile import ServerProfile
from latchpin.oauth.dpop import DPOP, NONCE_HEADER, asks_for_nonce
from latchpin.oauth.token_reply import parse_token_reply
from latchpin.oauth.token_request import TokenRequest
from latchpin.outbound.proofs import DpopBinding, DpopProofs
from latchpin.outbound.upstream import host_of
from latchpin.services import Services

__all__ = ["TokenSender"]

_log = logging.getLogger("latchpin.tokens")


class TokenSender:
    """Sends what was built, and reads what comes back."""

    def __init__(self, services: Services, proofs: DpopProofs) -> None:
        self._services = services
        self._proofs = proofs
        self._default_lifetime = timedelta(seconds=services.settings.oauth_default_timeout)

    async def send(
        self,
        provider: ServerProfile | None,
        request: TokenRequest,
        *,
        bound: DpopBinding | None = None,
        hidden: tuple[str, ...] = (),
        repeatable: bool = False,
    ) -> TokenGrant:
        """Send ``request`` once; again only if nothing had been sent, if ``repeatable``, or for a proof's nonce.

        Raises:
            UpstreamError: refused, unreachable or unreadable, or the token is not bound as it has to be.
        """
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
        reply = await self._prove_and_post(request, bound)
        if self._learn(request, bound, reply) and asks_for_nonce(reply):
            reply = await self._prove_and_post(request, bound)
            self._learn(request, bound, reply)
        return reply

    async def _prove_and_post(self, request: TokenRequest, bound: DpopBinding) -> Reply:
        proof = await self._proofs.prove(bound.gateway_id, "POST", request.url)
        return await self._post(request, {**request.headers, "dpop": proof}, repeatable=False)  # a proof serves once

    def _learn(self, request: TokenRequest, bound: DpopBinding, reply: Reply) -> bool:
        return self._proofs.learn(bound.gateway_id, request.url, reply.headers.get(NONCE_HEADER))
