"""What Latchpin finds: the identity that takes access tokens, the endpoints, and the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import Identity
from latchpin.sdk.settings import CoreSettings, load

from latchpin_authorization_server.settings import AuthorizationServerSettings

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["latchpin_identity", "latchpin_routes", "latchpin_settings"]


@asynccontextmanager
async def _open_access_tokens(
    _settings: AuthorizationServerSettings, context: latchpin.Context
) -> AsyncIterator[Identity]:
    from latchpin_authorization_server.identity import AccessTokenIdentity  # noqa: PLC0415  loaded when opened
    from latchpin_authorization_server.server import open_server  # noqa: PLC0415

    server = await open_server(context)
    yield AccessTokenIdentity(server.access_tokens, server.standing, server.revocations, issuer=server.issuer)


def _is_on() -> bool:
    return load(AuthorizationServerSettings).is_on(load(CoreSettings).base_url)


@latchpin.hookimpl
def latchpin_settings() -> Sequence[type[AuthorizationServerSettings]]:
    """Name the variables."""
    return [AuthorizationServerSettings]


@latchpin.hookimpl
def latchpin_identity() -> Sequence[latchpin.Backend[Any, Identity]]:
    """Take the access tokens that were given out."""
    if not _is_on():
        return []
    return [latchpin.Backend("access-token", "access token", AuthorizationServerSettings, _open_access_tokens, rank=5)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[APIRouter]:
    """Offer the endpoints and pages."""
    if not _is_on():
        return []
    from latchpin_authorization_server.web import devices, people, programs  # noqa: PLC0415  FastAPI is not loaded by commands

    return [programs.router, people.router, devices.router]
