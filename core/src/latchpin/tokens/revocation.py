"""Asks authorization servers to take tokens back (RFC 7009): one, all of a gateway, or one that nobody keeps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from latchpin.clients.directory import ClientDirectory
from latchpin.model import ClientCredentials, Gateway, RegisteredClient, ServerMetadata, StoredToken, TokenGrant
from latchpin.servers.directory import ServerDirectory
from latchpin.services import Services
from latchpin.tokens.endpoint import Revocation, TokenEndpoint
from latchpin.tokens.schemes import wants_key
from latchpin.tokens.sealing import API_KEY, open_token

__all__ = ["Revoker"]

_log = logging.getLogger("latchpin.tokens")

_AT_ONCE = 8
"""Revocations that one authorization server is asked for at the same time."""

_TOO_LATE = Revocation(done=False, answer="The authorization server did not answer in time.")
_CLIENT_GONE = Revocation(
    done=False,
    answer="The client that the token was issued to is gone; the token stays valid there until it expires.",
)
_KEY_STAYS = Revocation(done=False, answer="The key is gone here. At the server it holds until it is taken back there.")


class Revoker:
    """Revokes; whatever is wrong upstream is an answer, never an error: what ends here has ended.

    Args:
        services: records and cipher are used.
        servers: knows each gateway's authorization server.
        clients: knows the client that acts there.
        endpoint: asks the revocation endpoint.
    """

    def __init__(
        self, services: Services, servers: ServerDirectory, clients: ClientDirectory, endpoint: TokenEndpoint
    ) -> None:
        self._tokens = services.records.tokens
        self._cipher = services.cipher
        self._servers = servers
        self._clients = clients
        self._endpoint = endpoint

    async def revoke(self, gateway: Gateway, stored: StoredToken) -> Revocation:
        """Revoke one token that was just deleted here."""
        if (never := self.why_never(stored)) is not None:
            return never
        try:
            server, client = await self._reach(gateway)
        except Exception as exc:  # noqa: BLE001  disconnecting must work whatever is wrong upstream
            return _untold(exc)
        return await self._revoke_at(server, client, stored)

    def why_never(self, stored: StoredToken) -> Revocation | None:
        """What there is to say of a token that no server can be asked to revoke; None: one can."""
        return _KEY_STAYS if stored.token_type == API_KEY else None

    async def revoke_text(
        self,
        gateway: Gateway,
        token: str,
        hint: Literal["access_token", "refresh_token"],
        *,
        issuer: str | None,
        client_id: str,
    ) -> Revocation:
        """Revoke a token that is not kept any more, which ``client_id`` got from ``issuer``."""
        try:
            server, client = await self._reach(gateway)
        except Exception as exc:  # noqa: BLE001  as in ``revoke``
            return _untold(exc)
        if client is None or client.client_id != client_id or server.issuer != issuer:
            return _CLIENT_GONE
        return await self._endpoint.revoke(server, client, token, hint)

    async def revoke_all(
        self, gateway: Gateway, tokens: Sequence[StoredToken], clients: Sequence[RegisteredClient], *, within: timedelta
    ) -> list[Revocation]:
        """Revoke the tokens of a gateway that was just removed; one answer for each, in their order.

        Args:
            gateway: what it was.
            tokens: what it had.
            clients: the registered clients that it had: the store does not know them any more.
            within: after this nobody is waited for.
        """
        answers: dict[str, Revocation] = {}
        if not tokens:
            return []
        if wants_key(gateway):
            return [_KEY_STAYS] * len(tokens)
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def revoke(token: StoredToken) -> None:
            async with at_once:
                answers[token.id] = await self._revoke_at(server, client, token)

        try:
            async with asyncio.timeout(within.total_seconds()):
                server, client = await self._reach(gateway, clients)
                async with asyncio.TaskGroup() as group:
                    for token in tokens:
                        group.create_task(revoke(token))
        except TimeoutError:
            pass  # who has not answered counts as not told
        except Exception as exc:  # noqa: BLE001  removing must work whatever is wrong upstream
            return [_untold(exc)] * len(tokens)
        return [answers.get(token.id, _TOO_LATE) for token in tokens]

    async def give_back(
        self,
        gateway_id: str,
        owner: str,
        server: ServerMetadata,
        client: ClientCredentials,
        grant: TokenGrant,
        *,
        label: str = "",
    ) -> None:
        """Revoke what was just issued and is not kept, since its owner was disconnected or the gateway removed.

        Where another token stands now, nothing is done: servers may revoke all of one consent at once.
        """
        if await self._tokens.get(gateway_id, owner, label) is not None:
            return
        revocation = await self._revoke(server, client, grant.access_token, grant.refresh_token)
        _log.info("A token for gateway %s, user %s came too late to be kept: %s", gateway_id, owner, revocation.answer)

    async def _reach(
        self, gateway: Gateway, clients: Sequence[RegisteredClient] = ()
    ) -> tuple[ServerMetadata, ClientCredentials | None]:
        server = (await self._servers.find(gateway)).metadata
        return server, await self._clients.existing(gateway, server, deleted=clients)

    async def _revoke_at(
        self, server: ServerMetadata, client: ClientCredentials | None, stored: StoredToken
    ) -> Revocation:
        if client is None or client.client_id != stored.client_id or server.issuer != stored.issuer:
            return _CLIENT_GONE
        try:
            opened = open_token(self._cipher, stored)
            return await self._revoke(server, client, opened.access_token, opened.refresh_token)
        except Exception as exc:  # noqa: BLE001  as above
            return _untold(exc)

    async def _revoke(
        self, server: ServerMetadata, client: ClientCredentials, access_token: str, refresh_token: str | None
    ) -> Revocation:
        """The refresh token takes its access tokens along (RFC 7009 section 2.1)."""
        if refresh_token is not None:
            return await self._endpoint.revoke(server, client, refresh_token, "refresh_token")
        return await self._endpoint.revoke(server, client, access_token, "access_token")


def _untold(exc: Exception) -> Revocation:
    return Revocation(done=False, answer=f"The authorization server could not be told: {exc}", again=True)
