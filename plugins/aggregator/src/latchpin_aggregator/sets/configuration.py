"""Sets as files say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from latchpin.contracts import ConfigurationEntries, ConfigurationKind, EntryNames, PlannedEntry, StandingEntry
from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from pydantic import BaseModel, Field

from latchpin_aggregator.sets.directory import Sets, open_sets
from latchpin_aggregator.sets.entry import MOST_GATEWAYS, SetBody, SetParts, build_set, parse_set_body
from latchpin_aggregator.sets.gateway_set import GatewaySet

__all__ = ["KIND", "SetEntry"]

_GATEWAYS = "gateways"


class SetEntry(SetParts):
    """A set of gateways, as a file says it; its key is its slug."""

    gateways: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=MOST_GATEWAYS)] | None = Field(
        None, description="Names of gateways, in the order in which people see them."
    )


class SetEntries:
    """See ``latchpin.contracts.ConfigurationEntries``."""

    def __init__(self, sets: Sets, caller: Caller, now: datetime) -> None:
        self._sets = sets
        self._caller = caller
        self._now = now

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        """All, by slug."""
        return [
            StandingEntry(each.slug, each.slug, _say(each, names), held=each)
            for each in await self._sets.list(self._caller)
        ]

    async def plan(
        self, name: str, entry: BaseModel, _standing: StandingEntry | None, names: EntryNames
    ) -> PlannedEntry:
        """What would be kept."""
        body = _body(name, entry, names)
        return PlannedEntry(_say(build_set(body, known=body.gateways or (), now=self._now), names))

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, names: EntryNames) -> str:
        """Create or change it."""
        if standing is None:
            return (await self._sets.create(_body(name, entry, names), self._caller)).slug
        body = _body(name, entry, names, revision=standing.held.revision)
        return (await self._sets.change(name, body, self._caller)).slug

    async def remove(self, standing: StandingEntry) -> None:
        """Remove it; its gateways stay."""
        await self._sets.remove(standing.name, self._caller)

    async def restore(self, standing: StandingEntry) -> None:
        """Bring it back."""
        earlier: GatewaySet = standing.held
        document = {name: getattr(earlier, name) for name in ("slug", "name", "description")}
        document |= {"gateways": list(earlier.gateways), "allowed_users": list(earlier.allowed_users)}
        try:
            if (await self._sets.get(earlier.slug, self._caller)).revision != earlier.revision:
                await self._sets.change(earlier.slug, parse_set_body(document), self._caller)
        except NotFound:
            await self._sets.create(parse_set_body(document), self._caller)


def _say(found: GatewaySet, names: EntryNames) -> dict[str, Any]:
    """As a file says it. Gateways that are gone since are in no file."""
    said: dict[str, Any] = {
        "name": "" if found.name == found.slug else found.name,
        "description": found.description,
        "gateways": [name for each in found.gateways if (name := names.name_of(_GATEWAYS, each)) is not None],
        "allowed_users": list(found.allowed_users),
    }
    return {key: value for key, value in said.items() if value}


def _body(slug: str, entry: BaseModel, names: EntryNames, *, revision: int | None = None) -> SetBody:
    """The API's body: what the entry does not say is as it is by default."""
    said = {key: getattr(entry, key) for key in ("name", "description", "gateways", "allowed_users")}
    try:
        said["gateways"] = [names.id_of(_GATEWAYS, each) for each in said["gateways"] or ()]
    except InvalidRequest as exc:
        raise InvalidRequest(f"gateways: {exc.detail}") from None
    return parse_set_body({"slug": slug, **said} | ({} if revision is None else {"revision": revision}))


async def _entries(application: Application, caller: Caller) -> ConfigurationEntries:
    return SetEntries(await open_sets(application), caller, application.services.clock())


KIND = ConfigurationKind("sets", "Sets of gateways, by slug.", SetEntry, _entries, rank=30)
