"""Gateways and tokens put into a store as the gateway itself puts them, without a browser's way through a provider."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from unittest import mock

from latchpin.application import Application
from latchpin.assembly import assemble, utc_now
from latchpin.contracts import Clock
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import Caller, Gateway, StoredToken, TokenGrant
from latchpin.plugins.host import Plugins
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.tokens.sealing import TokenOrigin, build_token

__all__ = ["HOUR", "add_gateway", "open_application", "put_token"]

HOUR = timedelta(hours=1)
_ADMIN = Caller("admin@example.com", is_admin=True, via="local")


@contextlib.asynccontextmanager
async def open_application(environment: Mapping[str, str], clock: Clock = utc_now) -> AsyncIterator[Application]:
    """The scripts of a gateway over its real stores, as one more worker beside those that serve."""
    with mock.patch.dict(os.environ, environment):
        plugins, settings = Plugins(), load(CoreSettings)
        async with assemble(plugins, settings, clock=clock) as services:
            application = Application(services)
            yield application
            await application.close()


async def add_gateway(application: Application, server: str, **oauth: object) -> Gateway:
    """A gateway before ``server`` whose entry says everything, so that nothing is looked for."""
    config: dict[str, object] = {
        "client_id": "client",
        "client_secret": "the client's secret",
        "issuer": server,
        "authorization_url": f"{server}/authorize",
        "token_url": f"{server}/token",
        **oauth,
    }
    config = {name: value for name, value in config.items() if value is not None}
    return await application.gateways.create(
        parse_gateway_body({"url": f"{server}/mcp", "oauth_config": config}), _ADMIN
    )


async def put_token(
    application: Application,
    gateway: Gateway,
    email: str,
    *,
    refresh_token: str | None,
    age: timedelta = HOUR,
    life: timedelta = HOUR,
) -> StoredToken:
    """A token that was issued ``age`` ago to live ``life``; as it stands it has just expired."""
    services = application.services
    issued_at = services.clock() - age
    assert gateway.oauth is not None
    origin = TokenOrigin(
        gateway_id=gateway.id,
        app_user_email=email,
        issuer=gateway.oauth.issuer,
        resource=None,
        client_id="client",
        scopes=(),
    )
    grant = TokenGrant(f"{email}-first", "Bearer", issued_at + life, refresh_token)
    token = build_token(services.cipher, grant, origin=origin, earlier=None, now=issued_at)
    await services.records.tokens.put(token, replacing=None)
    return token
