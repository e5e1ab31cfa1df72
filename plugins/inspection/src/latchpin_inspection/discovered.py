"""What the servers of a gateway said, from where, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latchpin import ServerProfile
from latchpin.errors import LatchpinError
from latchpin.model import NO_PROFILE, Gateway, OAuthConfig
from latchpin.sdk.gateway import FoundServer, RegistrationOptions
from latchpin.sdk.oauth import FROM_DEFAULTS, FROM_SETTINGS

__all__ = ["Discovered"]

ENTERED = "entered on the gateway"
TABLE = "from the provider table"
CHALLENGE = "the MCP server's challenge"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a search found.

    Attributes:
        redirect_uri: what gateways use that have none of their own.
        vouched_for_by: on whose word tokens come.
        found: the authorization server, None if it was not found.
        options: the ways to a client there, None if they could not be looked at.
        obstacle: what keeps people from authorizing, None if nothing does.
    """

    gateway: Gateway
    redirect_uri: str
    vouched_for_by: str = "person"
    found: FoundServer | None = None
    options: RegistrationOptions | None = None
    obstacle: LatchpinError | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON: what was found, each decision, and where it cannot go on ``why`` and ``remedy``."""
        gateway, config = self.gateway, self.gateway.oauth
        if config is None:
            return {"found": False, "why": "the gateway does not use OAuth", "remedy": "", "redirect_uri": None}
        redirect_uri = config.redirect_uri or self.redirect_uri
        said: dict[str, Any] = {"found": False, "pinned_issuer": gateway.pinned_issuer, "redirect_uri": redirect_uri}
        if self.found is not None:
            said |= _describe_server(gateway, config, self.found, self.vouched_for_by)
        if self.options is not None:
            said |= {"found": True, "registration": _describe_ways(self.options)}
        if self.obstacle is None:
            return said | {"why": None, "remedy": None}
        remedy = self.obstacle.remedy
        hint = "" if redirect_uri in remedy else f" The redirect URI to enter there: {redirect_uri}"
        return said | {"why": self.obstacle.detail or self.obstacle.public, "remedy": f"{remedy}{hint}"}


def _describe_server(gateway: Gateway, config: OAuthConfig, found: FoundServer, vouched_for_by: str) -> dict[str, Any]:
    """Challenge, resource, issuer, endpoints, scopes, tokens and provider, each with where it comes from."""
    metadata = found.metadata
    return {
        "challenge": {"asked_for_a_token": found.challenged, "scopes": list(found.challenge_scopes)},
        "resource": {"value": found.resource, "from": _resource_origin(config, found)},
        "issuer": {"value": metadata.issuer, "from": _issuer_origin(config, found)},
        "trust": f"tokens from {metadata.issuer or metadata.token_endpoint} will be sent to {gateway.url}",
        "source": metadata.source,
        "authorization_endpoint": metadata.authorization_endpoint,
        "token_endpoint": metadata.token_endpoint,
        "registration_endpoint": metadata.registration_endpoint,
        "scopes": {"value": list(found.scopes), "from": _scope_origin(config, found)},
        "tokens": _describe_tokens(config, found, vouched_for_by),
        "provider": _describe_provider(config, found, metadata.provider),
        "steps": [str(step) for step in found.steps],
    }


def _describe_ways(ways: RegistrationOptions) -> dict[str, Any]:
    """Which way to a client_id is taken, and why not the others."""
    chosen = ways.chosen
    return {
        "way": chosen.label if chosen is not None else None,
        "registered_client_id": ways.kept,
        "others": {way.label: way.obstacle or "it comes later" for way in ways.ways if way is not chosen},
    }


def _resource_origin(config: OAuthConfig, found: FoundServer) -> str:
    if found.config.omit_resource:
        return f"omitted, {ENTERED if config.omit_resource else TABLE}"
    if config.resource is not None:
        return ENTERED
    return found.resource_source or "nothing names one, so none is sent"


def _issuer_origin(config: OAuthConfig, found: FoundServer) -> str:
    if config.issuer is not None or found.metadata.source == FROM_SETTINGS:
        return ENTERED if found.metadata.issuer is not None else "none is entered"
    if found.metadata.source == FROM_DEFAULTS or found.resource_source is None:
        return "the MCP server's own origin, as it names no authorization server"
    return found.resource_source


def _scope_origin(config: OAuthConfig, found: FoundServer) -> str:
    cut = " ".join(found.beyond_ceiling)
    return _named_by(config, found) + (f", without {cut}: beyond OAUTH_SCOPE_CEILING" if cut else "")


def _named_by(config: OAuthConfig, found: FoundServer) -> str:
    if config.scopes:
        return ENTERED
    provider = found.metadata.provider
    added = f", with {' '.join(provider.add_scopes)} {TABLE}" if provider and provider.add_scopes else ""
    if found.challenge_scopes:
        return CHALLENGE + added
    if found.resource_scopes:
        return f"{found.resource_source}{added}"
    return "nothing names any, so none are asked for"


def _describe_tokens(config: OAuthConfig, found: FoundServer, vouched_for_by: str) -> dict[str, Any]:
    """On whose word they come, and whether they are bound to a key."""
    bound = found.metadata.dpop
    origin = "both servers do it" if bound is not None else "not both servers say that they bind tokens"
    return {
        "vouched_for_by": vouched_for_by,
        "kind": "bearer" if bound is None else "bound to a key (DPoP)",
        "from": ENTERED if config.dpop is not None else origin,
    }


def _describe_provider(
    config: OAuthConfig, found: FoundServer, provider: ServerProfile | None
) -> dict[str, Any] | None:
    """The table's entry and what the gateway has of it."""
    if provider is None:
        return {"name": NO_PROFILE, "settings": {}} if config.provider == NO_PROFILE else None
    filled = {
        name: getattr(found.config, name)
        for name in ("omit_resource", "assume_pkce", "scope_separator", "audience", "token_endpoint_auth_method")
        if getattr(config, name) is None and getattr(found.config, name) not in (None, False, " ")
    }
    extra = {
        name: value
        for name, value in provider.extra_authorize_params.items()
        if name not in config.extra_authorize_params
    }
    if extra:
        filled["extra_authorize_params"] = extra
    if provider.scope_parameter != "scope":
        filled["scope_parameter"] = provider.scope_parameter
    if provider.json_token_requests:
        filled["json_token_requests"] = True
    if provider.token_lifetime is not None:
        filled["token_lifetime_seconds"] = int(provider.token_lifetime.total_seconds())
    return {"name": provider.name, "label": provider.label, "from": TABLE, "settings": filled}
