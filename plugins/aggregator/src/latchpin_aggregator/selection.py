"""Which gateways one endpoint shows: all that its caller may use, or those of them that are in a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from latchpin.errors import NotFound
from latchpin.model import Caller, Gateway

from latchpin_aggregator.sets.gateway_set import is_slug

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_aggregator.sets.directory import Sets

__all__ = ["PATH", "Everything", "OneSet", "Selection", "slug_of_path"]

PATH = "/mcp"
"""Of the endpoint for all servers; a set's has its slug behind that."""


class Selection(Protocol):
    """What one endpoint shows."""

    @property
    def path(self) -> str:
        """The endpoint's, below BASE_URL."""

    async def is_for(self, caller: Caller) -> bool:
        """Whether there is such an endpoint that the caller may know of."""

    async def list(self, caller: Caller) -> Sequence[Gateway]:
        """The gateways that the caller may use here, in the order in which people see them."""

    async def has(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether a gateway, which the caller may use, is one of them."""


class Everything:
    """All that the caller may use."""

    path = PATH

    def __init__(self, application: Application) -> None:
        self._gateways = application.gateways

    async def is_for(self, caller: Caller) -> bool:  # noqa: ARG002  the protocol's
        """Always."""
        return True

    async def list(self, caller: Caller) -> Sequence[Gateway]:
        """All, oldest first."""
        return await self._gateways.list(caller)

    async def has(self, gateway: Gateway, caller: Caller) -> bool:  # noqa: ARG002  the protocol's
        """Always."""
        return True


class OneSet:
    """What is in a set. Where the set is gone, or is not for the caller any more, nothing is."""

    def __init__(self, application: Application, sets: Sets, slug: str) -> None:
        self._gateways = application.gateways
        self._sets = sets
        self._slug = slug
        self.path = f"{PATH}/{slug}"

    async def is_for(self, caller: Caller) -> bool:
        """As the set's ``allowed_users`` say."""
        try:
            await self._sets.get_recent(self._slug, caller)
        except NotFound:
            return False
        return True

    async def list(self, caller: Caller) -> Sequence[Gateway]:
        """Those in the set, in its order."""
        try:
            found = await self._sets.get_recent(self._slug, caller)
        except NotFound:
            return []
        return found.among(await self._gateways.list(caller))

    async def has(self, gateway: Gateway, caller: Caller) -> bool:
        """Whether the set names it."""
        try:
            return gateway.id in (await self._sets.get_recent(self._slug, caller)).gateways
        except NotFound:
            return False


def slug_of_path(path: str) -> str | None:
    """The slug in the path of a set's endpoint, whether or not there is such a set; None where it is no such path."""
    slug = path.removeprefix(f"{PATH}/")
    return slug if slug != path and is_slug(slug) else None
