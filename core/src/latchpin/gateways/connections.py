"""Who is connected to which gateway, how well, and how connections end: one, or all of a user who leaves."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from latchpin.errors import Forbidden, InvalidRequest, NotFound
from latchpin.gateways.registry import GatewayRegistry
from latchpin.gateways.signing_out import sign_out
from latchpin.identity.allowance import may_use
from latchpin.model import CLIENT_ITSELF, COMPANY, Caller, Gateway, StoredToken
from latchpin.model.accounts import default_of
from latchpin.oauth.status import TokenHealth
from latchpin.services import Services
from latchpin.tokens.accounts import tell_account
from latchpin.tokens.service import TokenService
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Connection", "ConnectionService", "Disconnected"]

AT_ONCE = 200
"""Tokens that are opened without a pause."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One user's connection to one gateway, without its tokens.

    Attributes:
        owner: the user's address, ``CLIENT_ITSELF`` for a token of the gateway's own, or ``COMPANY`` for the account
            that all share.
        expires_at: the access token's end; what ``health`` says counts.
        updated_at: when the token was last written, by an authorization or a renewal.
        label: of which account; ``""``: it has none.
        connected_by: the address of the administrator who connected what all share.
        serves: it is used. Not where the gateway has one account for all now and this is a person's, or the other way
            round: it rests until the gateway is changed back, or it is ended.
        is_default: of several accounts, the one that serves where a program names none.
    """

    gateway: Gateway
    owner: str
    health: TokenHealth
    issuer: str | None
    scopes: tuple[str, ...]
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    label: str = ""
    connected_by: str | None = None
    serves: bool = True
    is_default: bool = True

    @property
    def shared(self) -> bool:
        """Whether it is the account that all share."""
        return self.owner == COMPANY

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "gateway_id": self.gateway.id,
            "gateway_name": self.gateway.name,
            "app_user_email": self.owner,
            "status": self.health.status,
            "authorized": self.health.authorized,
            "issuer": self.issuer,
            "scopes": list(self.scopes),
            "expires_at": self.expires_at.isoformat(),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "account": self.label,
            "default": self.is_default,
            "shared": self.shared,
            "connected_by": self.connected_by,
            "in_use": self.serves,
        }


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection that has ended here, and what the authorization server said about it."""

    gateway: Gateway
    owner: str
    answer: str
    label: str = ""


class ConnectionService:
    """Lists and ends connections: everybody their own, administrators all."""

    def __init__(self, services: Services, gateways: GatewayRegistry, tokens: TokenService) -> None:
        self._records = services.records
        self._services = services
        self._tools = services.tools
        self._activity = services.activity
        self._gateways = gateways
        self._tokens = tokens
        self._ending: SharedTasks[tuple[str, str, str, str], Disconnected | None] = SharedTasks()
        self._disconnecting: SharedTasks[tuple[str, str, str], str | None] = SharedTasks()

    async def list(self, caller: Caller, *, user: str | None = None, gateway_id: str | None = None) -> list[Connection]:
        """The connections that match every given filter, by gateway (oldest first), then oldest first.

        Without ``user``: all for administrators; for others their own, also at a gateway they may no longer use, and
        what all share at those they may use.

        Raises:
            Forbidden: somebody else's were asked for, and the caller is no administrator.
        """
        if not caller.is_admin:
            user = _own(caller, user)
        tokens = await self._records.tokens.list(gateway_id=gateway_id, app_user_email=user)
        if not caller.is_admin:
            tokens += await self._records.tokens.list(gateway_id=gateway_id, app_user_email=COMPANY)
        by_gateway: dict[str, list[StoredToken]] = {}
        for token in tokens:
            by_gateway.setdefault(token.gateway_id, []).append(token)
        found: list[Connection] = []
        for gateway in await self._records.gateways.list():
            listed = by_gateway.get(gateway.id, ())
            chosen = _defaults(listed)
            for token in listed:
                connection = self._connection(gateway, token, is_default=token.id in chosen)
                if connection.shared and not (caller.is_admin or (connection.serves and may_use(gateway, caller))):
                    continue
                found.append(connection)
                if len(found) % AT_ONCE == 0:
                    await asyncio.sleep(0)  # a gateway that serves goes on in between
        return found

    async def shared_by(self, user: str) -> builtins.list[Connection]:
        """What all share and this user connected: it stays when they leave, until an administrator ends it."""
        tokens = {token.gateway_id: token for token in await self._records.tokens.list(app_user_email=COMPANY)}
        gateways = await self._records.gateways.list() if tokens else []
        found = [(gateway, tokens[gateway.id]) for gateway in gateways if gateway.id in tokens]
        return [self._connection(gateway, token) for gateway, token in found if token.connected_by == user]

    async def choose(self, gateway_id: str, label: str, caller: Caller) -> None:
        """Make an account of the caller's the one that serves where a program names none.

        Raises:
            NotFound: there is no such gateway for the caller, or no such account of theirs.
            InvalidRequest: the gateway has one account for all.
            UpstreamTimeout, BackendUnavailable: it cannot be done now.
        """
        gateway = await self._gateways.get(gateway_id, caller)
        owner, _ = self._tokens.account_of(gateway, replace(caller, account=label))
        if owner != caller.email:
            raise InvalidRequest(f"'{gateway.name}' has one account for all")
        if not await self._tokens.choose(gateway.id, owner, label):
            raise NotFound(_no_token(owner, label))

    async def disconnect(
        self, gateway_id: str, owner: str | None, caller: Caller, *, label: str | None = None
    ) -> Disconnected:
        """End one connection: delete it here, then revoke it at the authorization server where that offers it.

        Without ``owner``: the one that serves the caller. Without ``label``: the owner's default there.

        Raises:
            Forbidden: it is somebody else's, or the gateway's own, and the caller is no administrator.
            NotFound: there is no such gateway for the caller, or no such connection.
        """
        gateway = await self._known_to(caller, gateway_id)
        owner = self._tokens.owner_of(gateway, caller) if owner is None else owner
        if owner != caller.email and not caller.is_admin:
            raise Forbidden("only administrators may disconnect somebody else, or the gateway itself")
        if label is None:
            stored = await self._records.tokens.get(gateway.id, owner, None)
            label = "" if stored is None else stored.label
        ended = await self._finish(gateway, owner, label, caller)
        if ended is None:
            raise NotFound(_no_token(owner, label))
        return ended

    async def disconnect_everything(self, user: str, caller: Caller) -> AsyncIterator[Disconnected]:
        """End all connections of one user at once, and forget the tools fetched for that user.

        An administrator ends the user's sessions and our own bearer tokens too, before anything else.

        Yields each as its server answers. Whoever stops listening does not stop what was begun.

        Raises:
            Forbidden: it is somebody else, and the caller is no administrator.
        """
        if not caller.is_admin:
            _own(caller, user)
        else:
            await sign_out(self._services, user, actor=caller.email, way="disconnected")
        connected: dict[str, builtins.list[str]] = {}
        for token in await self._records.tokens.list(app_user_email=user):
            connected.setdefault(token.gateway_id, []).append(token.label)
        waiting = []
        for gateway in await self._records.gateways.list():
            labels = connected.get(gateway.id, ())
            waiting += [asyncio.create_task(self._finish(gateway, user, label, caller)) for label in labels]
            if "" not in labels:
                await self._tools.replace(gateway.id, user, {})
        if caller.is_admin:
            for stays in await self.shared_by(user):
                facts = {"actor": caller.email, "subject": user, "gateway_id": stays.gateway.id}
                await self._activity.tell("connection.stays", **facts)
        try:
            for done in asyncio.as_completed(waiting):
                ended = await done
                if ended is not None:
                    yield ended
        finally:
            for task in waiting:
                task.cancel()

    async def close(self) -> None:
        """Let what is under way end, before the stores are closed."""
        await self._ending.close()
        await self._disconnecting.close()

    async def _known_to(self, caller: Caller, gateway_id: str) -> Gateway:
        """The gateway, also for who may not use it any more and still has a token there: it is theirs to end."""
        if await self._records.tokens.get(gateway_id, caller.email, None) is not None:
            return await self._gateways.get_any(gateway_id)
        return await self._gateways.get(gateway_id, caller)

    async def _finish(self, gateway: Gateway, owner: str, label: str, caller: Caller) -> Disconnected | None:
        """Whoever stops waiting, and a gateway that stops, does not stop what was begun."""
        end = partial(self._end, gateway, owner, label, caller)
        return await self._ending.run((gateway.id, owner, label, caller.email), end)

    async def _end(self, gateway: Gateway, owner: str, label: str, caller: Caller) -> Disconnected | None:
        """Of two who end the same at once both are told, and both are recorded."""
        disconnect = partial(self._tokens.disconnect, gateway, owner, label)
        answer = await self._disconnecting.run((gateway.id, owner, label), disconnect)
        if answer is None:
            return None
        await self._activity.tell(
            "token.disconnected", actor=caller.email, gateway_id=gateway.id, subject=owner, **tell_account(label)
        )
        return Disconnected(gateway, owner, answer, label)

    def _connection(self, gateway: Gateway, token: StoredToken, *, is_default: bool = True) -> Connection:
        owner = token.app_user_email
        return Connection(
            gateway=gateway,
            owner=owner,
            health=self._tokens.health(token),
            issuer=token.issuer,
            scopes=token.scopes,
            expires_at=token.expires_at,
            created_at=token.created_at,
            updated_at=token.updated_at,
            label=token.label,
            connected_by=token.connected_by,
            serves=owner == CLIENT_ITSELF or (owner == COMPANY) == (gateway.connection == "shared"),
            is_default=is_default,
        )


def _defaults(tokens: Iterable[StoredToken]) -> set[str]:
    """Of one gateway's tokens, the ids of those that serve where none is named."""
    by_owner: dict[str, list[StoredToken]] = {}
    for token in tokens:
        by_owner.setdefault(token.app_user_email, []).append(token)
    return {chosen.id for each in by_owner.values() if (chosen := default_of(each)) is not None}


def _no_token(owner: str, label: str) -> str:
    return f"{owner} has no {f'account called {label!a}' if label else 'token'} for this gateway"


def _own(caller: Caller, user: str | None) -> str:
    if user not in (None, caller.email):
        raise Forbidden("only administrators may see or end other users' connections")
    return caller.email
