"""A code redeemed: exchanged for the tokens of an authorization, which are kept if nothing was changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from latchpin.activity.recorder import FlowSpan
from latchpin.authorization.one_at_a_time import Turn
from latchpin.clients.directory import ClientDirectory
from latchpin.errors import (
    AuthorizationRequired,
    Forbidden,
    NotFound,
    RecordConflict,
    TokenRefused,
    UpstreamBusy,
    UpstreamError,
)
from latchpin.errors.causes.refusals import CLIENT_FORGOTTEN
from latchpin.identity.barred import FOR_EVER
from latchpin.identity.revocations import UNNOTICED, ended_at
from latchpin.model import (
    COMPANY,
    ClientCredentials,
    Gateway,
    PendingAuthorization,
    ServerMetadata,
    StoredToken,
    TokenGrant,
)
from latchpin.model.flow_steps import Exchanged, TokensSealed
from latchpin.model.gateway import OAUTH_SECRETS
from latchpin.oauth.callback import ValidatedCallback
from latchpin.outbound.proofs import bound_of
from latchpin.outbound.upstream import host_of
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.endpoint import TokenEndpoint
from latchpin.tokens.outcomes import tell_end
from latchpin.tokens.revocation import Revoker
from latchpin.tokens.sealing import build_token
from latchpin.tokens.usage import Usage
from latchpin.workers.store_deadline import insist

__all__ = ["Redemption"]

_ATTEMPTS = 20
"""Under the lease only renewals and disconnects come in between."""

ResultT = TypeVar("ResultT")
Read = Callable[[], Awaitable[StoredToken | None]]


class Redemption:
    """Redeems codes.

    Args:
        services: the gateway's services.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the token endpoint.
        revoker: revokes what comes too late to be kept.
        usage: notes that the connection is new.
    """

    def __init__(
        self,
        services: Services,
        servers: ServerDirectory,
        clients: ClientDirectory,
        endpoint: TokenEndpoint,
        revoker: Revoker,
        *,
        usage: Usage,
    ) -> None:
        self._services = services
        self._servers = servers
        self._clients = clients
        self._endpoint = endpoint
        self._revoker = revoker
        self._usage = usage

    async def check_pause(self, gateway_id: str) -> None:
        """Go on only if the gateway's token endpoint may be asked now: else a code would be used up for nothing.

        Raises:
            UpstreamBusy: it asked to be left alone; the same callback may come again.
        """
        try:
            await self._services.pauses.check("token", gateway_id)
        except UpstreamBusy as exc:
            exc.remedy = f"Open this very link again in {exc.retry_after} seconds: nothing of it is used up."
            raise

    async def look(self, gateway_id: str) -> None:
        """Read the client that ``redeem`` needs in a moment; raises BackendUnavailable."""
        await self._clients.look(gateway_id)

    async def redeem(
        self, gateway: Gateway, validated: ValidatedCallback, verifier: str, span: FlowSpan, turn: Turn
    ) -> StoredToken:
        """Exchange the code in its turn and keep what comes, in place of any earlier token of this account.

        Raises:
            UpstreamError, AuthorizationRequired (the client was replaced meanwhile), BackendUnavailable.
        """
        pending, owner, label = validated.pending, validated.payload.owner, validated.payload.account
        if (owner == COMPANY) != (gateway.connection == "shared"):
            raise self._changed(gateway, label)  # nobody's own account becomes the company's, nor the other way round
        self._check_in(await turn.ended(), gateway, validated)
        await self._usage.note(gateway.id, owner, label, anew=True)
        found = await self._servers.find(gateway)
        client = await self._insist(lambda: self._clients.existing(gateway, found.metadata))
        now = client and (client.client_id, found.metadata.issuer, found.metadata.token_endpoint)
        if client is None or now != (pending.client_id, pending.issuer, pending.token_url):
            raise self._changed(gateway, label)  # or a new secret would be sent to the old server
        await turn.reached()
        grant = await self._exchange(gateway, found.metadata, validated, verifier, client)
        span.step(_exchanged(pending, client, grant, self._services.clock()))
        try:
            token = await self._keep_surely(validated, grant, turn)
            await self._check_kept(gateway, validated)
        except (Forbidden, NotFound, AuthorizationRequired, RecordConflict):
            await self._revoker.give_back(gateway.id, owner, found.metadata, client, grant, label=label)
            raise
        span.step(TokensSealed(self._services.record_backend.label, replaced=token.revision > 1))
        await tell_end(self._services, token, grant)
        return token

    async def _insist(self, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        wait = self._services.settings.oauth_callback_wait_seconds
        return await insist(work, until=asyncio.get_running_loop().time() + wait)

    async def _check_kept(self, gateway: Gateway, validated: ValidatedCallback) -> None:
        """Take back what came too late: a gateway's change, and a person's end, drop what is there at that time."""
        services, payload = self._services, validated.payload
        current, end = await asyncio.gather(
            services.records.gateways.get(gateway.id), ended_at(services.kept, validated.pending.app_user_email)
        )
        try:
            if current is None or _terms(current) != _terms(gateway):
                raise self._changed(gateway, payload.account)
            self._check_in(end, gateway, validated)
        except (AuthorizationRequired, Forbidden):
            await services.records.tokens.delete(gateway.id, payload.owner, payload.account)
            raise

    async def _exchange(
        self,
        gateway: Gateway,
        server: ServerMetadata,
        validated: ValidatedCallback,
        verifier: str,
        client: ClientCredentials,
    ) -> TokenGrant:
        pending = validated.pending
        try:
            return await self._endpoint.redeem(
                client,
                issuer=pending.issuer,
                token_url=pending.token_url,
                code=validated.code,
                verifier=verifier,
                redirect_uri=pending.redirect_uri,
                resource=pending.resource,
                provider=server.provider,
                bound=bound_of(gateway.id, server),
            )
        except UpstreamError as exc:
            await self._services.pauses.note("token", gateway.id, exc)
            if exc.retry_after is not None:
                exc.remedy = f"Start again with Authorize in {exc.retry_after} seconds: this authorization is used up."
            if not isinstance(exc, TokenRefused):
                raise
            issuer = pending.issuer
            if not await self._clients.reregister(exc, gateway.id, issuer, client.client_id):
                raise
            url = self._services.settings.authorize_url(gateway.id, validated.payload.account)
            error = AuthorizationRequired(authorize_url=url)
            raise error.explain_as(CLIENT_FORGOTTEN, issuer=issuer) from exc

    def _changed(self, gateway: Gateway, label: str) -> AuthorizationRequired:
        return AuthorizationRequired(
            "the gateway's settings or its client were changed while you authorized",
            authorize_url=self._services.settings.authorize_url(gateway.id, label),
        )

    def _check_in(self, end: datetime | None, gateway: Gateway, validated: ValidatedCallback) -> None:
        """Refuse what was begun before its person's sessions ended, also where they were let in again since."""
        if end == FOR_EVER:
            raise Forbidden("your access to this gateway was ended", remedy="Ask an administrator of this gateway.")
        if end is not None and validated.pending.created_at <= end + UNNOTICED:
            url = self._services.settings.authorize_url(gateway.id, validated.payload.account)
            raise AuthorizationRequired("your sessions were ended while you authorized", authorize_url=url)

    async def _keep_surely(self, validated: ValidatedCallback, grant: TokenGrant, turn: Turn) -> StoredToken:
        """Keep what cannot be asked for twice, in place of the token that stood when the turn was begun."""
        payload, tokens = validated.payload, self._services.records.tokens
        readings: Iterator[Read] = iter([turn.earlier])

        async def read() -> StoredToken | None:
            """That token at first; what stands now, once that was not it, or could not be read."""
            return await next(readings, partial(tokens.get, payload.gateway_id, payload.owner, payload.account))()

        return await self._insist(lambda: self._keep(validated, grant, read))

    async def _keep(self, validated: ValidatedCallback, grant: TokenGrant, read: Read) -> StoredToken:
        tokens, now = self._services.records.tokens, self._services.clock()
        pending, owner, label = validated.pending, validated.payload.owner, validated.payload.account
        gateway_id = pending.key.gateway_id
        for _ in range(_ATTEMPTS):
            earlier = await read()
            token = build_token(
                self._services.cipher,
                grant,
                gateway_id=gateway_id,
                app_user_email=owner,
                issuer=pending.issuer,
                resource=pending.resource,
                client_id=pending.client_id,
                scopes=pending.scopes,
                flow_id=pending.id,
                earlier=earlier,
                now=now,
                label=label,
                connected_by=pending.app_user_email if owner == COMPANY else None,
            )
            try:
                await tokens.put(token, replacing=earlier)
            except RecordConflict:
                continue
            return token
        if await self._services.records.gateways.get(gateway_id) is None:
            raise NotFound("the gateway was removed while you authorized")
        raise RecordConflict(f"the token of {owner} kept changing while it was to be written")


def _terms(gateway: Gateway) -> tuple[object, ...]:
    """What must be as it was when an authorization of the gateway ends.

    Not its secrets: who is connected stays connected where one is entered anew, and all are sealed anew now and then.
    """
    without: dict[str, Any] = dict.fromkeys(OAUTH_SECRETS)
    return gateway.url, gateway.oauth and replace(gateway.oauth, **without), gateway.connection


def _exchanged(pending: PendingAuthorization, client: ClientCredentials, grant: TokenGrant, now: datetime) -> Exchanged:
    return Exchanged(
        server=host_of(pending.token_url),
        auth_method=client.auth_method,
        lifetime_seconds=round((grant.expires_at - now).total_seconds()),
        refresh_token=grant.refresh_token is not None,
        scopes=pending.scopes if grant.scopes is None else grant.scopes,
    )
