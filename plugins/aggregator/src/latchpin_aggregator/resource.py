"""The endpoints as what clients can get tokens for: that for all servers, and those of sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latchpin.contracts import ProtectedResource, ProtectedResources
from latchpin.errors import NotFound
from latchpin.model import Caller, Gateway

from latchpin_aggregator.selection import PATH, slug_of_path
from latchpin_aggregator.sets.gateway_set import GatewaySet

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_aggregator.sets.directory import Sets

__all__ = ["RESOURCES", "find_resource", "list_resources", "names_endpoint"]

NAME = "All servers"


def names_endpoint(path: str) -> bool:
    """Whether a path below BASE_URL is that of an endpoint, whether or not its set exists."""
    return path == PATH or slug_of_path(path) is not None


async def find_resource(application: Application, url: str, caller: Caller) -> ProtectedResource | None:
    """The endpoint of exactly that URL; behind it stand the servers that the caller may use there."""
    base_url = application.services.settings.base_url
    path = url.removeprefix(base_url)
    slug = slug_of_path(path)
    if base_url + path != url or (slug is None and path != PATH):
        return None
    if slug is None:
        return _everything(base_url, await application.gateways.list(caller))
    try:
        found = await (await _sets_of(application)).get(slug, caller)
    except NotFound:
        return None
    return _one_set(base_url, found, await application.gateways.list(caller))


async def list_resources(application: Application, caller: Caller) -> Sequence[ProtectedResource]:
    """The endpoint for all servers, and those of sets, each where the caller may use any server there."""
    base_url, gateways = application.services.settings.base_url, await application.gateways.list(caller)
    sets = await (await _sets_of(application)).list(caller)
    offered = [_everything(base_url, gateways), *(_one_set(base_url, each, gateways) for each in sets)]
    return [each for each in offered if each.gateways]


async def _sets_of(application: Application) -> Sets:
    from latchpin_aggregator.sets.directory import open_sets  # noqa: PLC0415  to list plugins needs no sets

    return await open_sets(application)


def _everything(base_url: str, gateways: Sequence[Gateway]) -> ProtectedResource:
    return ProtectedResource(base_url + PATH, NAME, tuple(gateways), aggregate=True)


def _one_set(base_url: str, found: GatewaySet, gateways: Sequence[Gateway]) -> ProtectedResource:
    return ProtectedResource(base_url + found.path, found.name, tuple(found.among(gateways)), aggregate=True)


RESOURCES = ProtectedResources(names_endpoint, find_resource, list_resources)
