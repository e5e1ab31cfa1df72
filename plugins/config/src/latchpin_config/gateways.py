"""Gateways as files say them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from latchpin.contracts import ConfigurationEntries, ConfigurationKind, EntryNames, PlannedEntry, StandingEntry
from latchpin.errors import NotFound, Unsealable
from latchpin.model import Caller, Gateway, OAuthConfig
from latchpin.sdk.gateway import (
    Application,
    GatewayBody,
    describe_gateway,
    open_configured_secret,
    parse_gateway_body,
)
from pydantic import BaseModel, SecretStr

from latchpin_config.shapes import secret_places, writable

__all__ = ["KIND", "GatewayEntries"]

# The name is the key; the pinned issuer is found, and confirmed, by people.
GatewayEntry = writable(GatewayBody, name="GatewayEntry", without=frozenset({"name", "pinned_issuer", "revision"}))
_SECRETS = tuple(path[-1] for path in secret_places(GatewayEntry))
_OAUTH_DEFAULTS = {each.name: getattr(OAuthConfig(), each.name) for each in fields(OAuthConfig)}
_OWN_ID = "{gateway_id}"
_TOKENS_GO = "everybody's tokens and keys for it go: they were given for another place"


class GatewayEntries:
    """See ``latchpin.contracts.ConfigurationEntries``."""

    def __init__(self, application: Application, caller: Caller) -> None:
        self._gateways = application.gateways
        self._removal = application.removal
        self._cipher = application.services.cipher
        self._caller = caller

    async def read(self, _names: EntryNames) -> Sequence[StandingEntry]:
        """All, oldest first."""
        return [self._standing(each) for each in await self._gateways.list(self._caller)]

    def _standing(self, gateway: Gateway) -> StandingEntry:
        secrets: dict[str, Callable[[str], bool]] = {}
        for name in _SECRETS:
            if gateway.oauth is not None and getattr(gateway.oauth, name) is not None:
                secrets[f"oauth_config.{name}"] = partial(self._is_secret, gateway, name)
        return StandingEntry(gateway.name, gateway.id, _said(gateway), secrets, gateway)

    def _is_secret(self, gateway: Gateway, column: str, secret: str) -> bool:
        try:
            kept = open_configured_secret(gateway, self._cipher, column=column) or ""
        except Unsealable:  # its key is gone: what the file refers to takes its place
            return False
        return hmac.compare_digest(kept.encode(), secret.encode())

    async def plan(
        self, name: str, entry: BaseModel, standing: StandingEntry | None, _names: EntryNames
    ) -> PlannedEntry:
        """What would be kept; what would go with the change is a warning."""
        if standing is None:
            body = parse_gateway_body(_document(name, entry))
            return PlannedEntry(_said(self._gateways.draft(body, self._caller)))
        earlier: Gateway = standing.held
        body = parse_gateway_body(_whole(name, entry))
        change = self._gateways.draft_change(earlier, body, self._caller)
        warnings = [_TOKENS_GO] if change.drops_tokens else []
        given = body.oauth_config.model_fields_set if body.oauth_config is not None else set()
        lost = [
            each for each in _SECRETS if each not in given and _has(earlier, each) and not _has(change.gateway, each)
        ]
        warnings += [f"its {each} goes: it was given for another place; say where the new one is" for each in lost]
        return PlannedEntry(_said(change.gateway), warnings)

    async def put(self, name: str, entry: BaseModel, standing: StandingEntry | None, _names: EntryNames) -> str:
        """Create or change it."""
        if standing is None:
            return (await self._gateways.create(parse_gateway_body(_document(name, entry)), self._caller)).id
        document = _whole(name, entry) | {"revision": standing.held.revision}
        return (await self._gateways.change(standing.id, parse_gateway_body(document), self._caller)).id

    async def remove(self, standing: StandingEntry) -> None:
        """Remove it with everybody's connections, which their servers are asked to take back."""
        await self._removal.remove(standing.id, self._caller)

    async def restore(self, standing: StandingEntry) -> None:
        """Bring the entry back, with its secrets; tokens that were dropped are gone."""
        earlier: Gateway = standing.held
        try:
            there = await self._gateways.get(earlier.id, self._caller)
        except NotFound:
            await self._gateways.bring_back(earlier, self._caller)
            return
        if there.revision != earlier.revision:
            document = self._document_of(earlier) | {"revision": there.revision}
            await self._gateways.change(earlier.id, parse_gateway_body(document), self._caller)

    def _document_of(self, gateway: Gateway) -> dict[str, Any]:
        """All that somebody would enter to have it as it is."""
        shown = describe_gateway(gateway)
        names = ("name", "url", "auth_type", "allowed_users")
        document: dict[str, Any] = {name: shown[name] for name in names}
        if gateway.auth_type != "none":
            document["connection"] = shown["connection"]
        if gateway.api_key is not None:
            document["api_key"] = shown["api_key"]
        if gateway.oauth is not None:
            config = {key: value for key, value in shown["oauth_config"].items() if not key.endswith("_set")}
            config |= {name: open_configured_secret(gateway, self._cipher, column=name) for name in _SECRETS}
            document |= {"oauth_config": config, "pinned_issuer": gateway.pinned_issuer}
        return document


def _has(gateway: Gateway, secret: str) -> bool:
    return gateway.oauth is not None and getattr(gateway.oauth, secret) is not None


def _said(gateway: Gateway) -> dict[str, Any]:
    """As a file says it."""
    shown = describe_gateway(gateway)
    said: dict[str, Any] = {"url": shown["url"]}
    for name, default in (("auth_type", "oauth"), ("connection", "own"), ("allowed_users", [])):
        if shown[name] != default:
            said[name] = shown[name]
    if gateway.api_key is not None:
        said["api_key"] = shown["api_key"]
    if gateway.oauth is not None:
        config: dict[str, Any] = {
            key: list(value) if isinstance(value, list | tuple) else value
            for key, value in shown["oauth_config"].items()
            if not key.endswith("_set") and getattr(gateway.oauth, key) != _OAUTH_DEFAULTS[key]
        }
        if config.get("redirect_uri"):
            config["redirect_uri"] = config["redirect_uri"].replace(gateway.id, _OWN_ID)
        if config:
            said["oauth_config"] = config
    return said


def _document(name: str, entry: BaseModel) -> dict[str, Any]:
    """The API's body of a new gateway."""
    return {"name": name, **_given(entry)}


def _whole(name: str, entry: BaseModel) -> dict[str, Any]:
    """The API's body of a change: what the entry does not say goes back to the default, and a secret stays."""
    given = _given(entry)
    document: dict[str, Any] = {"name": name, "auth_type": None, "connection": None, "allowed_users": None} | given
    auth_type = document["auth_type"] or "oauth"
    if auth_type == "oauth":
        defaults: dict[str, Any] = dict.fromkeys(_OAUTH_DEFAULTS.keys() - set(_SECRETS))
        document["oauth_config"] = defaults | (given.get("oauth_config") or {})
    elif auth_type != "none":
        document["api_key"] = {"header": None, "prefix": None} | (given.get("api_key") or {})
    return document


def _given(entry: BaseModel) -> dict[str, Any]:
    """What an entry says, with its secrets open, for the API's own parser."""
    return {name: _open(getattr(entry, name)) for name in entry.model_fields_set}


def _open(value: Any) -> Any:  # noqa: ANN401  any member's
    if isinstance(value, BaseModel):
        return _given(value)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


async def _entries(application: Application, caller: Caller) -> ConfigurationEntries:
    return GatewayEntries(application, caller)


KIND = ConfigurationKind(
    "gateways", "MCP servers behind the gateway, by the gateway's name.", GatewayEntry, _entries, rank=10
)
"""What ``latchpin_configuration_kinds`` offers."""
