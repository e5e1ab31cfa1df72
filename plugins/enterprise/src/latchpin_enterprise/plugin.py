"""What Latchpin finds: the grant, the ways to people's ID tokens, and where they are handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import latchpin
from latchpin.contracts import AssertionSource, Backend, Grant

if TYPE_CHECKING:
    from latchpin_enterprise.settings import EnterpriseSettings

__all__ = ["latchpin_grants", "latchpin_identity_assertions", "latchpin_routes"]


@asynccontextmanager
async def _open_grant(settings: EnterpriseSettings, context: latchpin.Context) -> AsyncIterator[Grant]:
    from latchpin_enterprise.grant import JwtBearerGrant  # noqa: PLC0415  loaded when opened

    yield JwtBearerGrant(settings, context)


@asynccontextmanager
async def _open_bearer(_settings: latchpin.Settings, context: latchpin.Context) -> AsyncIterator[AssertionSource]:
    from latchpin_enterprise.sources import BearerSource  # noqa: PLC0415

    yield BearerSource(context.clock)


@asynccontextmanager
async def _open_stored(_settings: latchpin.Settings, context: latchpin.Context) -> AsyncIterator[AssertionSource]:
    from latchpin.sdk.identity import AssertionStore  # noqa: PLC0415

    from latchpin_enterprise.sources import StoredSource  # noqa: PLC0415

    yield StoredSource(AssertionStore(context.kept, context.cipher), context.clock)


@latchpin.hookimpl
def latchpin_grants() -> Sequence[Backend[EnterpriseSettings, Grant]]:
    """Offer the JWT bearer grant (RFC 7523)."""
    from latchpin.model import JWT_BEARER  # noqa: PLC0415  loaded when asked for

    from latchpin_enterprise.settings import EnterpriseSettings  # noqa: PLC0415  loaded when asked for

    return [Backend(JWT_BEARER, "somebody else's signed word", EnterpriseSettings, _open_grant)]


@latchpin.hookimpl
def latchpin_identity_assertions() -> Sequence[Backend[Any, AssertionSource]]:
    """Offer both; what came with the call is the newest."""
    return [
        Backend("bearer", "the caller's bearer token", latchpin.Settings, _open_bearer, rank=10),
        Backend("stored", "the ID token that was handed in", latchpin.Settings, _open_stored, rank=20),
    ]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer where ID tokens are handed in."""
    return ["latchpin_enterprise.routes:router"]
