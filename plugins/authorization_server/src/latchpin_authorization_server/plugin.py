"""What Latchpin finds: the identity that takes access tokens, the endpoints, and the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Command, Identity, NavigationEntry, Recorder

if TYPE_CHECKING:
    from latchpin_authorization_server.settings import AuthorizationServerSettings

__all__ = [
    "latchpin_commands",
    "latchpin_configuration_kinds",
    "latchpin_identity",
    "latchpin_key_uses",
    "latchpin_navigation",
    "latchpin_recorders",
    "latchpin_routes",
    "latchpin_settings",
]


@asynccontextmanager
async def _open_access_tokens(
    _settings: AuthorizationServerSettings, context: latchpin.Context
) -> AsyncIterator[Identity]:
    from latchpin_authorization_server.identity import AccessTokenIdentity  # noqa: PLC0415  loaded when opened
    from latchpin_authorization_server.server import open_server  # noqa: PLC0415

    server = await open_server(context)
    yield AccessTokenIdentity(
        server.access_tokens, server.standing, server.standing_clients, server.revocations, issuer=server.issuer
    )


@asynccontextmanager
async def _open_personal_tokens(
    _settings: AuthorizationServerSettings, context: latchpin.Context
) -> AsyncIterator[Identity]:
    from latchpin_authorization_server.personal_tokens.identity import PersonalTokenIdentity  # noqa: PLC0415
    from latchpin_authorization_server.personal_tokens.service import open_personal_tokens  # noqa: PLC0415
    from latchpin_authorization_server.server import open_server  # noqa: PLC0415

    server = await open_server(context)
    yield PersonalTokenIdentity(await open_personal_tokens(context), server.revocations)


@asynccontextmanager
async def _open_offboarding(
    _settings: AuthorizationServerSettings, context: latchpin.Context
) -> AsyncIterator[Recorder]:
    from latchpin_authorization_server.people.offboarding import Offboarding  # noqa: PLC0415

    yield Offboarding(context)


def _is_on() -> bool:
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_authorization_server.settings import AuthorizationServerSettings  # noqa: PLC0415

    return load(AuthorizationServerSettings).authorization_server_enabled


@latchpin.hookimpl
def latchpin_settings() -> Sequence[type[AuthorizationServerSettings]]:
    """Name the variables."""
    from latchpin_authorization_server.settings import AuthorizationServerSettings  # noqa: PLC0415  loaded when asked for

    return [AuthorizationServerSettings]


@latchpin.hookimpl
def latchpin_identity() -> Sequence[latchpin.Backend[Any, Identity]]:
    """Take the access tokens that were given out, and personal ones."""
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_authorization_server.settings import AuthorizationServerSettings  # noqa: PLC0415  loaded when asked for

    if not _is_on():
        return []
    settings = AuthorizationServerSettings
    given = latchpin.Backend("access-token", "access token", settings, _open_access_tokens, rank=5)
    personal = latchpin.Backend("personal-token", "personal access token", settings, _open_personal_tokens, rank=6)
    return [given, personal] if load(settings).personal_tokens_enabled else [given]


@latchpin.hookimpl
def latchpin_recorders() -> Sequence[latchpin.Backend[Any, Recorder]]:
    """End what a person allowed with the person's sessions, also where the authorization server is switched off."""
    from latchpin_authorization_server.settings import AuthorizationServerSettings  # noqa: PLC0415  loaded when asked for

    label = "the end of what people allowed"
    return [latchpin.Backend("authorization-server", label, AuthorizationServerSettings, _open_offboarding)]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to the pages."""
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_authorization_server.settings import AuthorizationServerSettings  # noqa: PLC0415  loaded when asked for

    if not _is_on():
        return []
    personal_tokens = NavigationEntry(
        "Personal tokens",
        "/personal-tokens",
        "What you gave to programs that cannot sign in by themselves.",
        group="connections",
        rank=24,
    )
    return [
        NavigationEntry(
            "My applications",
            "/applications",
            "What may use MCP servers as you, since when, and when it last did.",
            group="connections",
            rank=22,
        ),
        NavigationEntry(
            "All applications",
            "/applications/everybody",
            "What may use MCP servers as whom.",
            group="connections",
            admin_only=True,
            rank=32,
        ),
        *((personal_tokens,) if load(AuthorizationServerSettings).personal_tokens_enabled else ()),
        NavigationEntry(
            "MCP clients",
            "/applications/clients",
            "The MCP clients that were entered, or that registered themselves, and services that act by themselves.",
            group="connections",
            admin_only=True,
            rank=42,
        ),
    ]


@latchpin.hookimpl
def latchpin_commands() -> Sequence[Command]:
    """Add what is kept here, with ``login`` and ``logout``, where no gateway runs, too."""
    return [
        Command(
            "applications",
            "What may use MCP servers as whom: list it, and end it.",
            "latchpin_authorization_server.commands.applications:app",
        ),
        Command(
            "personal-tokens",
            "Personal access tokens, for programs that cannot sign in.",
            "latchpin_authorization_server.commands.personal_tokens:app",
        ),
        Command(
            "oauth-clients",
            "MCP clients: enter, list, show and delete them.",
            "latchpin_authorization_server.commands.oauth_clients:app",
        ),
        Command(
            "login",
            "Sign in at a Latchpin that runs elsewhere, for programs of your own.",
            "latchpin_authorization_server.commands.login:app",
        ),
        Command(
            "logout",
            "End what 'latchpin login' began: there, and on this machine.",
            "latchpin_authorization_server.commands.login:app",
        ),
    ]


@latchpin.hookimpl
def latchpin_configuration_kinds() -> Sequence[str]:
    """Offer the entered clients to files, where the authorization server is on."""
    return ["latchpin_authorization_server.clients.configuration:KIND"] if _is_on() else []


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the endpoints and pages."""
    if not _is_on():
        return []
    modules = ("programs", "people", "devices", "applications", "personal_tokens", "clients", "client_pages")
    return [f"latchpin_authorization_server.web.{each}:router" for each in modules]


@latchpin.hookimpl
def latchpin_key_uses() -> Sequence[str]:
    """Name the refresh tokens of MCP clients, which are sealed."""
    return ["latchpin_authorization_server.grants.records:KEY_USE"]
