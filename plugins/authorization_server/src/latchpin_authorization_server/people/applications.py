"""What has access as whom: the grants of people, listed and ended by them or by administrators."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchpin.errors import Forbidden, NotFound
from latchpin.model import Caller

from latchpin_authorization_server.grants.grant import Grant
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["AllowedClient", "Applications", "describe_grant", "group_by_client"]


@dataclass(frozen=True, slots=True)
class AllowedClient:
    """One application with all that one person allowed it.

    Attributes:
        grants: the newest first; at least one.
    """

    grants: tuple[Grant, ...]

    @property
    def id(self) -> str:
        """Its ``client_id``."""
        return self.grants[0].client_id

    @property
    def name(self) -> str:
        """What it called itself last."""
        return self.grants[0].client_name

    @property
    def used_at(self) -> datetime:
        """When it was last given a token."""
        return max(grant.used_at for grant in self.grants)


def describe_grant(grant: Grant) -> dict[str, Any]:
    """A grant as JSON."""
    return {
        "id": grant.id,
        "app_user_email": grant.email,
        "client_id": grant.client_id,
        "client_name": grant.client_name,
        "resource": grant.resource,
        "created_at": grant.created_at.isoformat(),
        "used_at": grant.used_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
    }


def group_by_client(grants: Iterable[Grant]) -> list[AllowedClient]:
    """One person's grants by client: the client that was used last first."""
    found: dict[str, list[Grant]] = {}
    for grant in grants:
        found.setdefault(grant.client_id, []).append(grant)
    clients = [AllowedClient(tuple(group)) for group in found.values()]
    return sorted(clients, key=lambda each: each.used_at, reverse=True)


class Applications:
    """Lists and ends what people allowed: everybody their own, administrators all.

    A grant whose code nobody has redeemed yet gives no access, and is not among them.

    Args:
        server: has the grants and the remembered consents.
    """

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def list(self, caller: Caller, *, user: str | None = None, client_id: str | None = None) -> list[Grant]:
        """The grants that match every given filter, by person and then the newest first.

        Without ``user``: all for administrators, for others their own.

        Raises:
            Forbidden: somebody else's were asked for, and the caller is no administrator.
            BackendUnavailable: the store cannot be asked.
        """
        if not caller.is_admin:
            user = _own(caller, user)
        grants = self._server.grants
        every = grants.of_everybody() if user is None else grants.of_person(user)
        return [grant async for grant in every if grant.is_redeemed and client_id in {None, grant.client_id}]

    async def end(self, grant_id: str, caller: Caller) -> Grant:
        """End one, and forget that its person consented: the application has to ask again.

        Raises:
            NotFound: there is none of that id, or it is not the caller's to end.
            BackendUnavailable: the store cannot be asked.
        """
        grant = await self._server.grants.get(grant_id)
        if grant is None or (grant.email != caller.email and not caller.is_admin):
            raise NotFound("there is no such grant")
        await self._server.consents.forget(grant.email, grant.client_id, resource=grant.resource)
        await self._server.end(grant, actor=caller.email)
        return grant

    async def end_client(self, client_id: str, user: str, caller: Caller) -> builtins.list[Grant]:
        """End all that ``user`` allowed one client, and forget the consents. Returns what was ended.

        Raises:
            Forbidden: it is somebody else's, and the caller is no administrator.
            NotFound: that person allowed it nothing.
            BackendUnavailable: the store cannot be asked.
        """
        if not caller.is_admin:
            user = _own(caller, user)
        await self._server.consents.forget(user, client_id)
        ended = []
        async for grant in self._server.grants.of_person(user):
            if grant.client_id == client_id:
                await self._server.end(grant, actor=caller.email)
                ended.append(grant)
        if not ended:
            raise NotFound("that person allowed this application nothing")
        return ended


def _own(caller: Caller, user: str | None) -> str:
    if user not in {None, caller.email}:
        raise Forbidden("only administrators may see or end what other people allowed")
    return caller.email
