"""A slug for each gateway: unique, made from its name when it is first needed, and kept for as long as it is there."""

from __future__ import annotations

from latchpin.contracts import Collection
from latchpin.errors import NotFound, RecordConflict
from latchpin.model import Caller, CollectionSpec, Document, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.workers import Bounded

from latchpin_aggregator.naming import slugs_for

__all__ = ["SLUGS", "Slugs"]

SLUGS = CollectionSpec("aggregator_slugs")
"""Two documents for each gateway: what its slug is, and whose the slug is."""
_MOST = 10_000


class Slugs:
    """Gives slugs, and finds gateways by them."""

    def __init__(self, application: Application) -> None:
        self._gateways = application.gateways
        self._access = application.access
        self._documents: Collection = application.services.context.collection(SLUGS)
        self._by_gateway: Bounded[str, str] = Bounded(_MOST)
        self._by_slug: Bounded[str, str] = Bounded(_MOST)

    async def of(self, gateway: Gateway) -> str:
        """The gateway's slug.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        known = self._by_gateway.get(gateway.id)
        if known is None:
            known = self._by_gateway[gateway.id] = await self._find(gateway)
            self._by_slug[known] = gateway.id
        return known

    async def gateway_of(self, slug: str, caller: Caller) -> Gateway | None:
        """The gateway whose slug it is; None: it is nobody's, or that of one that the caller may not know of."""
        known = self._by_slug.get(slug)
        found = None if known is None else await self._get(known, caller)
        if found is not None:
            return found
        for gateway in await self._gateways.list(caller):  # some may never have been listed
            if await self.of(gateway) == slug:
                self._by_slug[slug] = gateway.id
                return gateway
        return None

    async def _get(self, gateway_id: str, caller: Caller) -> Gateway | None:
        try:
            return (await self._access.get(gateway_id, caller)).gateway
        except NotFound:
            return None

    async def _find(self, gateway: Gateway) -> str:
        held = await self._documents.get(_gateway_id(gateway))
        if held is not None:
            return str(held.body["slug"])
        for slug in slugs_for(gateway.name):
            if await self._claim(slug, gateway):
                return await self._keep(gateway, slug)
        raise AssertionError("there are slugs without end")

    async def _claim(self, slug: str, gateway: Gateway) -> bool:
        """Whether the slug is the gateway's from now on: it was nobody's, or that of one that is gone."""
        held = await self._documents.get(_slug_id(slug))
        if held is not None and held.body["gateway"] == gateway.id:
            return True
        if held is not None and await self._exists(str(held.body["gateway"])):
            return False
        revision = 0 if held is None else held.revision
        try:
            await self._documents.put(Document(_slug_id(slug), {"gateway": gateway.id}, revision=revision))
        except RecordConflict:
            return await self._claim(slug, gateway)
        return True

    async def _keep(self, gateway: Gateway, slug: str) -> str:
        try:
            await self._documents.put(Document(_gateway_id(gateway), {"slug": slug}))
        except RecordConflict:  # another worker was faster; it may have met another gateway's removal in between
            held = await self._documents.get(_gateway_id(gateway))
            return slug if held is None else str(held.body["slug"])
        return slug

    async def _exists(self, gateway_id: str) -> bool:
        try:
            await self._gateways.get_any(gateway_id)
        except NotFound:
            return False
        return True


def _slug_id(slug: str) -> str:
    return f"slug {slug}"


def _gateway_id(gateway: Gateway) -> str:
    return f"gateway {gateway.id}"
