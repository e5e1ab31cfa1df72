"""What ``latchpin doctor`` asks about the sign-in: does the provider answer, and is anything believed without proof?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from latchpin.contracts import CheckContext, Finding, Severity, Upstream
from latchpin.errors import UpstreamError
from latchpin.sdk.settings import CoreSettings

from latchpin_oidc_login.causes import PROVIDER_FAILED
from latchpin_oidc_login.discovery import Discovery
from latchpin_oidc_login.metadata import OpenIdProvider
from latchpin_oidc_login.paths import BACK_CHANNEL, CALLBACK
from latchpin_oidc_login.settings import OidcLoginSettings

__all__ = ["check_sign_in"]


async def check_sign_in(context: CheckContext) -> Sequence[Finding]:
    """Everything, if a provider is set up."""
    settings = context.load(OidcLoginSettings)
    if not settings.configured:
        return []
    return [await _check_provider(context, settings), *_check_trust(settings)]


async def _check_provider(context: CheckContext, settings: OidcLoginSettings) -> Finding:
    issuer = settings.oidc_login_issuer or ""
    if context.offline or context.upstream is None:
        why = "other servers are not to be asked" if context.offline else "the gateway could not be opened"
        return Finding(Severity.SKIPPED, f"{issuer} was not asked", why)
    try:
        provider = await _ask(context, context.upstream, issuer)
    except UpstreamError as exc:
        return Finding(
            Severity.FAILURE,
            "Nobody can sign in with the provider",
            f"OIDC_LOGIN_ISSUER holds {issuer}: {exc.detail or exc.public}",
            "Correct OIDC_LOGIN_ISSUER: exactly what the provider's metadata calls its issuer.",
            cause=PROVIDER_FAILED.slug,
        )
    redirect_uri = context.base_url + CALLBACK
    text = f"the redirect URI to register there is {redirect_uri}"
    if provider.logs_out:
        text += f", and for its back-channel logout {context.base_url}{BACK_CHANNEL}"
    return Finding(Severity.OK, f"{issuer} answers", text)


async def _ask(context: CheckContext, upstream: Upstream, issuer: str) -> OpenIdProvider:
    """Fetch metadata and keys; give the metadata.

    Raises:
        UpstreamError: they cannot be had, or cannot be believed.
    """
    discovery = Discovery(
        issuer,
        upstream=upstream,
        clock=context.clock,
        allow_http=context.load(CoreSettings).oauth_allow_private_networks,
        lifetime=timedelta(),
    )
    provider = await discovery.find()
    await discovery.keys_of(provider).find(None)
    return provider


def _check_trust(settings: OidcLoginSettings) -> Sequence[Finding]:
    if not settings.oidc_login_trust_unverified_email:
        return []
    return [
        Finding(
            Severity.WARNING,
            "Addresses that nobody verified are believed",
            "OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL=true: whoever can choose an address there signs in as that user",
            "Let the provider send email_verified and switch it off, unless nobody can choose an address there.",
        )
    ]
