"""The built-in ways to know a caller: bearer token, session cookie, trusted proxy header."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from latchpin.contracts import Backend, Context, Identity
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.identity.settings import BearerSettings, TrustedProxySettings
    from latchpin.identity.signed_tokens import SignedTokens

__all__ = ["open_bearer", "open_proxy", "open_session_cookie"]


@asynccontextmanager
async def open_bearer(settings: BearerSettings, context: Context) -> AsyncIterator[Identity]:
    """Nothing is fetched before the first token comes; nothing to close."""
    from latchpin.identity.bearer import BearerIdentity  # noqa: PLC0415  loaded when asked for
    from latchpin.identity.jwks import KeySet  # noqa: PLC0415  loaded when asked for
    from latchpin.identity.revocations import SessionRevocations  # noqa: PLC0415  loaded when asked for

    url = settings.jwt_jwks_url
    yield BearerIdentity(
        _signed_tokens(settings, context),
        email_claim=settings.jwt_email_claim,
        groups_claim=settings.jwt_groups_claim,
        key_set=KeySet(url, upstream=await context.trusted(url), clock=context.clock) if url else None,
        clock=context.clock,
        revocations=SessionRevocations(context.kept, context.clock, context.endings),
    )


@asynccontextmanager
async def open_session_cookie(settings: BearerSettings, context: Context) -> AsyncIterator[Identity]:
    """Nothing to close."""
    from latchpin.identity.revocations import SessionRevocations  # noqa: PLC0415  loaded when asked for
    from latchpin.identity.session import SessionIdentity  # noqa: PLC0415  loaded when asked for

    revocations = SessionRevocations(context.kept, context.clock, context.endings)
    yield SessionIdentity(_signed_tokens(settings, context), context.kept, revocations, base_url=context.base_url)


@asynccontextmanager
async def open_proxy(settings: TrustedProxySettings, context: Context) -> AsyncIterator[Identity]:  # noqa: ARG001
    """Nothing to close."""
    from latchpin.identity.proxy import ProxyIdentity  # noqa: PLC0415  loaded when asked for

    yield ProxyIdentity(settings.trusted_user_header, settings.trusted_proxies)


def _signed_tokens(settings: BearerSettings, context: Context) -> SignedTokens:
    from latchpin.identity.signed_tokens import SignedTokens  # noqa: PLC0415  loaded when asked for

    return SignedTokens(
        settings, base_url=context.base_url, kept=context.kept, cipher=context.cipher, clock=context.clock
    )


@hookimpl
def latchpin_identity() -> Sequence[Backend[Any, Identity]]:
    """Offer the three built-in identities; the bearer token is looked at first."""
    from latchpin.identity.settings import BearerSettings, TrustedProxySettings  # noqa: PLC0415  loaded when asked for

    return [
        Backend("bearer", "bearer token", BearerSettings, open_bearer, rank=10),
        Backend("session", "session cookie", BearerSettings, open_session_cookie, rank=20),
        Backend("proxy", "trusted proxy header", TrustedProxySettings, open_proxy, rank=30),
    ]
