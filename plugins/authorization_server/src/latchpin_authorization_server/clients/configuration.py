"""Clients that administrators enter, as files say them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from latchpin.contracts import ConfigurationEntries, ConfigurationKind, EntryNames, PlannedEntry, StandingEntry
from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from pydantic import BaseModel, Field, SecretStr

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.entered import KeptClients
from latchpin_authorization_server.clients.entry import ClientEntry
from latchpin_authorization_server.clients.records import StoredClient
from latchpin_authorization_server.random_secrets import hash_secret, is_secret
from latchpin_authorization_server.server import AuthorizationServer, open_server

__all__ = ["KIND", "FiledClient"]

_SHORTEST_SECRET = 32
"""Only a plain hash of it is kept, which holds where nobody guesses it."""


class FiledClient(ClientEntry):
    """A client that people sign in with, or a service that acts by itself; its key is its ``client_id``."""

    client_secret: SecretStr | None = Field(
        None, description="At least 32 random characters, as latchpin secret makes them.", min_length=_SHORTEST_SECRET
    )


class ClientEntries:
    """See ``latchpin.contracts.ConfigurationEntries``."""

    def __init__(self, server: AuthorizationServer, caller: Caller) -> None:
        self._server = server
        self._clients = KeptClients(server)
        self._caller = caller

    async def read(self, _names: EntryNames) -> Sequence[StandingEntry]:
        """Those that were entered, newest first."""
        return [_standing(each) async for each in self._server.client_records.scan("entered")]

    async def plan(
        self, name: str, entry: BaseModel, standing: StandingEntry | None, _names: EntryNames
    ) -> PlannedEntry:
        """What would be kept."""
        self._server.check_on()
        if standing is None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise InvalidRequest("a client_id has at most 64 letters, digits, hyphens and underscores")
        client = self._clients.build(name, _entry(entry))
        _secret_hash(entry, client, standing)
        changed = standing is not None and client.acts_as != standing.held.client.acts_as
        warnings = ["tokens that it has for the earlier address end"] if changed else []
        return PlannedEntry(_say(client), warnings)

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, _names: EntryNames) -> str:
        """Enter or change it."""
        client = self._clients.build(name, _entry(entry))
        stored = await self._clients.put(
            name,
            _entry(entry),
            _secret_hash(entry, client, standing),
            self._caller,
            replacing=None if standing is None else standing.held,
        )
        return stored.client.id

    async def remove(self, standing: StandingEntry) -> None:
        """Delete it, with all that people allowed it."""
        await self._clients.delete(standing.id, self._caller)

    async def restore(self, standing: StandingEntry) -> None:
        """Bring it back; what people allowed it is gone if it was removed."""
        earlier: StoredClient = standing.held
        try:
            there = await self._clients.get(earlier.client.id)
        except NotFound:
            there = None
        if there is None or there.revision != earlier.revision:
            await self._clients.bring_back(earlier, self._caller, replacing=there)


def _standing(stored: StoredClient) -> StandingEntry:
    client = stored.client
    secrets = {"client_secret": partial(_is_secret_of, client)} if client.secret_hash else {}
    return StandingEntry(client.id, client.id, _say(client), secrets, stored)


def _is_secret_of(client: Client, secret: str) -> bool:
    return is_secret(secret, client.secret_hash)


def _say(client: Client) -> dict[str, Any]:
    """Its members, without those that are as they are by default."""
    service = bool(client.acts_as)
    said: dict[str, Any] = {"name": client.name}
    if client.redirect_uris:
        said["redirect_uris"] = list(client.redirect_uris)
    if set(client.grant_types) != ({"client_credentials"} if service else {"authorization_code", "refresh_token"}):
        said["grant_types"] = list(client.grant_types)
    if client.auth_method != "client_secret_basic":
        said["token_endpoint_auth_method"] = client.auth_method
    if service:
        said["acts_as"] = client.acts_as
    return said


def _entry(entry: BaseModel) -> ClientEntry:
    return ClientEntry.model_validate(entry.model_dump(include=set(ClientEntry.model_fields)))


def _secret_hash(entry: BaseModel, client: Client, standing: StandingEntry | None) -> str:
    """The hash of the secret that is said, else of the one that is kept."""
    said: SecretStr | None = getattr(entry, "client_secret", None)
    if client.auth_method == "none":
        if said is not None:
            raise InvalidRequest("client_secret: a client whose token_endpoint_auth_method is none has no secret")
        return ""
    if said is not None:
        text = said.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise InvalidRequest("client_secret: it has visible ASCII characters only (RFC 6749 appendix A.2)")
        return hash_secret(text)
    kept = "" if standing is None or "client_secret" in entry.model_fields_set else standing.held.client.secret_hash
    if not kept:
        raise InvalidRequest("client_secret is missing; write where it is, as in env:NAME or file:/path")
    return str(kept)


async def _entries(application: Application, caller: Caller) -> ConfigurationEntries:
    return ClientEntries(await open_server(application.services.context), caller)


KIND = ConfigurationKind(
    "oauth_clients", "MCP clients and services that are entered here, by client_id.", FiledClient, _entries, rank=50
)
