"""What real providers need beyond the standard, as values: one ``ServerProfile`` for each, and where it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

__all__ = ["NO_PROFILE", "ServerProfile"]

NO_PROFILE = "none"
"""What an entry says as ``provider`` to be treated as the standard has it."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What one provider documents and no metadata says. Every default means: as the standard has it.

    A gateway's own entry always comes before it.

    Attributes:
        name: what an entry's ``provider`` says.
        label: what people call it.
        servers: where it holds: a host, ``*.`` and a domain, or a host with a path in which ``*`` stands for anything.
            Compared with the issuer, or where none is known with the authorization endpoint.
        documentation: where the provider says so.
        omit_resource: it refuses the resource indicator (RFC 8707).
        assume_pkce: it does S256, and its metadata does not say so.
        scope_separator: what stands between scopes.
        scope_parameter: the authorization request's name for them.
        add_scopes: asked for besides those that were found; not besides configured ones.
        audience: ``audience`` in the authorization request.
        audience_is_resource: ``audience`` is the resource indicator.
        extra_authorize_params: further parameters of the authorization request.
        token_endpoint_auth_method: how an entered client proves itself.
        json_token_requests: its token endpoint reads JSON instead of a form.
        token_lifetime: how long an access token lives whose answer names no lifetime.
        rank: of profiles that hold for one server, the lowest counts. A deployer's have 0, the known servers' 200.
    """

    name: str
    label: str
    servers: tuple[str, ...]
    documentation: str = ""
    omit_resource: bool = False
    assume_pkce: bool = False
    scope_separator: str = " "
    scope_parameter: str = "scope"
    add_scopes: tuple[str, ...] = ()
    audience: str | None = None
    audience_is_resource: bool = False
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    token_endpoint_auth_method: str | None = None
    json_token_requests: bool = False
    token_lifetime: timedelta | None = None
    rank: int = 100
