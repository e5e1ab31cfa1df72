"""A stranger's plugin: alarms at gateways, kept as files say them, with a place of secrets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from latchpin.contracts import (
    Collection,
    ConfigurationEntries,
    ConfigurationKind,
    EntryNames,
    PlannedEntry,
    SecretScheme,
    StandingEntry,
)
from latchpin.errors import Conflict, InvalidRequest, RecordConflict
from latchpin.model import Caller, CollectionSpec, Document
from latchpin.sdk.gateway import Application
from latchpin.sdk.stores import scan_all
from pydantic import BaseModel, ConfigDict, SecretStr


class Alarm(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: str
    token: SecretStr | None = None


class Alarms:
    """At which gateway each alarm rings, and its token."""

    def __init__(self, kept: Collection) -> None:
        self._kept = kept

    async def read(self, names: EntryNames) -> Sequence[StandingEntry]:
        return [_standing(each, names) async for each in scan_all(self._kept)]

    async def plan(self, name: str, entry: Any, standing: StandingEntry | None, names: EntryNames) -> PlannedEntry:
        try:
            names.id_of("gateways", entry.at)
        except InvalidRequest as exc:
            raise InvalidRequest(f"at: {exc.detail}") from exc
        return PlannedEntry({"at": entry.at})

    async def put(self, name: str, entry: Any, standing: StandingEntry | None, names: EntryNames) -> str:
        earlier = standing.held if standing else Document(name, {"token": ""})
        token = entry.token.get_secret_value() if entry.token else earlier.body["token"]
        body = {"at": names.id_of("gateways", entry.at), "token": token}
        try:
            await self._kept.put(Document(name, body, revision=earlier.revision))
        except RecordConflict as exc:
            raise Conflict("the alarm was changed meanwhile") from exc
        return name

    async def remove(self, standing: StandingEntry) -> None:
        await self._kept.delete(standing.id)

    async def restore(self, standing: StandingEntry) -> None:
        now = await self._kept.get(standing.id)
        await self._kept.put(Document(standing.id, standing.held.body, revision=now.revision if now else 0))


def _standing(kept: Document, names: EntryNames) -> StandingEntry:
    token = kept.body["token"].encode()
    secrets = {"token": lambda text: hmac.compare_digest(text.encode(), token)} if token else {}
    return StandingEntry(kept.id, kept.id, {"at": names.name_of("gateways", kept.body["at"])}, secrets, held=kept)


async def open_alarms(application: Application, caller: Caller) -> ConfigurationEntries:
    return Alarms(application.services.context.collection(KEPT))


KEPT = CollectionSpec("acme_alarms", sealed=frozenset({"token"}))
ALARMS = ConfigurationKind("alarms", "At which gateways it rings.", Alarm, open_alarms, rank=60)

SAFE: Mapping[str, str] = {"alarm#key": "from-the-safe"}


async def read_safe(application: Application, rest: str) -> str:
    """What stands behind ``acme:`` in a file, such as ``alarm#key``."""
    if rest not in SAFE:
        raise InvalidRequest("the safe has nothing there")
    return SAFE[rest]


ACME = SecretScheme("acme", "a path, and behind # a key, as in acme:alarm#key", read_safe)
