"""What Latchpin finds: a link on the login page, the addresses behind it, and what doctor asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Backend, Check, CheckContext, Context, Finding, Groups, SignIn, SignInOffer

from latchpin_oidc_login.paths import BEGIN, SIGN_OUT

if TYPE_CHECKING:
    from latchpin_oidc_login.settings import OidcLoginSettings

__all__ = ["latchpin_checks", "latchpin_groups", "latchpin_routes", "latchpin_sign_ins"]


def _describe(settings: OidcLoginSettings) -> SignIn | None:
    if not settings.configured:
        return None
    from latchpin_oidc_login.sign_out import SignOut  # noqa: PLC0415  loaded when asked for

    return SignIn(
        label=settings.label,
        path=BEGIN,
        sign_out_path=SIGN_OUT,
        signs_out=SignOut(settings.oidc_login_issuer or "").offered,
        names_administrators=bool(settings.oidc_login_admin_groups),
    )


@asynccontextmanager
async def _open_groups(settings: OidcLoginSettings, context: Context) -> AsyncIterator[Groups | None]:
    from latchpin_oidc_login.groups import KEPT_GROUPS, OidcGroups  # noqa: PLC0415  loaded when asked for

    kept = settings.configured and settings.oidc_login_groups_days
    yield OidcGroups(context.collection(KEPT_GROUPS), context.clock) if kept else None


@latchpin.hookimpl
def latchpin_groups() -> Sequence[Backend[OidcLoginSettings, Groups | None]]:
    """Offer the groups that the provider named at sign-ins."""
    from latchpin_oidc_login.settings import OidcLoginSettings  # noqa: PLC0415  loaded when asked for

    return [Backend("oidc", "the provider's groups", OidcLoginSettings, _open_groups)]


@latchpin.hookimpl
def latchpin_sign_ins() -> Sequence[SignInOffer[OidcLoginSettings]]:
    """Offer the provider that the settings name."""
    from latchpin_oidc_login.settings import OidcLoginSettings  # noqa: PLC0415  loaded when asked for

    return [SignInOffer("oidc", OidcLoginSettings, "OIDC_LOGIN_ISSUER and OIDC_LOGIN_CLIENT_ID", _describe)]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the sign-in's addresses; where nothing is set up, each answers 404."""
    return ["latchpin_oidc_login.routes:build_router"]


@latchpin.hookimpl
def latchpin_checks() -> Sequence[Check]:
    """Offer what ``latchpin doctor`` asks about the sign-in."""
    return [Check("sign-in", "Sign-in", "the provider that people sign in with", _check)]


async def _check(context: CheckContext) -> Sequence[Finding]:
    from latchpin_oidc_login.checks import check_sign_in  # noqa: PLC0415  loaded when doctor runs

    return await check_sign_in(context)
