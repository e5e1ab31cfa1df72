"""Which server a request is for, and what that server calls what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from latchpin.model import Caller, Gateway
from latchpin.sdk.mcp import INVALID_PARAMS, RESOURCE_NOT_FOUND
from latchpin_mcp.message import Message, Refused
from latchpin_mcp.parts import Part, read_members

from latchpin_aggregator.argument_headers import Position
from latchpin_aggregator.envelopes import dump
from latchpin_aggregator.kept import Kind
from latchpin_aggregator.lists import Lists
from latchpin_aggregator.naming import guess_own_name, nearest, own_uri, slug_of_name
from latchpin_aggregator.offers import Offers
from latchpin_aggregator.selection import Selection
from latchpin_aggregator.slugs import Slugs

__all__ = ["Target", "Targets"]

_KIND: dict[str, Kind] = {"tools/call": "tools", "prompts/get": "prompts"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Attributes:
        own: what the server calls what it is about; None where header fields do not repeat it.
        changes: what differs in the message as the server gets it.
        repeated: arguments that header fields repeat.
    """

    gateway: Gateway
    own: str | None
    changes: Sequence[tuple[Part, str]]
    repeated: Sequence[Position] = ()


class Targets:
    """Finds servers by the names that clients have."""

    def __init__(self, lists: Lists, offers: Offers, slugs: Slugs, selection: Selection) -> None:
        self._lists = lists
        self._offers = offers
        self._slugs = slugs
        self._selection = selection

    async def find(self, message: Message, caller: Caller) -> Target:
        """Where a request goes.

        Raises:
            Refused: the caller is offered nothing of that name.
        """
        method = message.method or ""
        if method == "completion/complete":
            return await self._completed(message, caller)
        if method == "resources/read":
            gateway, own = await self._resource(message, message.params.get("uri"), caller)
            return Target(gateway, own, [(message.params["uri"], dump(own))])
        gateway, own = await self._named(message, message.params.get("name"), _KIND[method], caller)
        repeated = self._lists.get(gateway, caller).get(_KIND[method]).repeated.get(message.param("name"), ())
        return Target(gateway, own, [(message.params["name"], dump(own))], repeated)

    def waits(self, target: Target, caller: Caller) -> bool:
        """Whether the caller's person has to authorize the server first, as far as is known."""
        return self._lists.get(target.gateway, caller).waits

    async def _completed(self, message: Message, caller: Caller) -> Target:
        reference = message.params.get("ref")
        if reference is None or not isinstance(reference.value, dict):
            raise Refused(INVALID_PARAMS, "params.ref is no object", id=message.id)
        try:
            members = read_members(message.text, reference)
        except ValueError as exc:
            raise Refused(INVALID_PARAMS, f"params.ref: {exc}", id=message.id) from None
        if "uri" in members:
            gateway, own = await self._resource(message, members["uri"], caller)
            return Target(gateway, None, [(members["uri"], dump(own))])
        gateway, own = await self._named(message, members.get("name"), "prompts", caller)
        return Target(gateway, None, [(members["name"], dump(own))])

    async def _named(self, message: Message, part: Part | None, kind: Kind, caller: Caller) -> tuple[Gateway, str]:
        name = None if part is None else part.value
        if not isinstance(name, str):
            raise Refused(INVALID_PARAMS, f"{message.method} names nothing", id=message.id)
        slug = slug_of_name(name)
        gateway = None if slug is None else await self._shown(slug, caller)
        own = None if gateway is None else await self._own(gateway, name, kind, caller)
        if gateway is None or own is None:
            raise await self._unknown(message, name, kind, caller)
        return gateway, own

    async def _shown(self, slug: str, caller: Caller) -> Gateway | None:
        """The gateway of that slug, if it is shown here."""
        gateway = await self._slugs.gateway_of(slug, caller)
        return gateway if gateway is not None and await self._selection.has(gateway, caller) else None

    async def _own(self, gateway: Gateway, name: str, kind: Kind, caller: Caller) -> str | None:
        """What the server calls it; where it could not be asked for its lists, what it would be."""
        kept = await self._lists.of(gateway, caller)
        own = kept.get(kind).own.get(name)
        if own is None and kept.listed:
            kept = await self._lists.of(gateway, caller, renewed=True)
            own = kept.get(kind).own.get(name)
        return own if own is not None or kept.listed else guess_own_name(name)

    async def _unknown(self, message: Message, name: str, kind: Kind, caller: Caller) -> Refused:
        offers = await self._offers.get(caller, wait=0)
        near = nearest(name, [each for _, _, kept in offers for each in kept.get(kind).own])
        text = f"there is no {kind[:-1]} {name[:200]!a} here"
        if near:
            text += f"; the nearest: {', '.join(near)}"
        return Refused(INVALID_PARAMS, text, id=message.id, data={"nearest": near})

    async def _resource(self, message: Message, part: Part | None, caller: Caller) -> tuple[Gateway, str]:
        uri = None if part is None else part.value
        if not isinstance(uri, str):
            raise Refused(INVALID_PARAMS, f"{message.method} names no resource", id=message.id)
        named = own_uri(uri)
        gateway = None if named is None else await self._shown(named[0], caller)
        if named is not None and gateway is not None:
            return gateway, named[1]
        offers = await self._offers.get(caller, wait=0)
        found = [each for each, _, kept in offers if uri in kept.get("resources").own.values()]
        if len(found) == 1:  # a link in some server's answer, which has its own words
            return found[0], uri
        near = nearest(uri, _resources(kept.get("resources").own for _, _, kept in offers))
        code = INVALID_PARAMS if message.era == "modern" else RESOURCE_NOT_FOUND
        raise Refused(code, f"there is no resource {uri[:200]!a} here", id=message.id, data={"nearest": near})


def _resources(owns: Iterable[Iterable[str]]) -> list[str]:
    return [each for own in owns for each in own]
