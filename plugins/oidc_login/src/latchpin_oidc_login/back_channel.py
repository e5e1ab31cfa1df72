"""The provider's word that somebody signed out there (OpenID Connect Back-Channel Logout 1.0), carried out."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from latchpin.model import CLIENT_ITSELF
from latchpin.sdk.gateway import Application, sign_out
from latchpin.sdk.sign_in import end_named_session

from latchpin_oidc_login.discovery import Discovery
from latchpin_oidc_login.known import KnownAtProvider
from latchpin_oidc_login.logout_token import LogoutRefused, LogoutToken, check_logout_token, read_logout_key_id
from latchpin_oidc_login.settings import OidcLoginSettings

__all__ = ["BackChannel"]


class BackChannel:
    """Ends what the provider says has ended.

    Args:
        application: the gateway.
        settings: of a provider that is set up.
        discovery: knows the provider and its keys.
        known: knows who its people are here.
    """

    def __init__(
        self, application: Application, settings: OidcLoginSettings, discovery: Discovery, known: KnownAtProvider
    ) -> None:
        self._services = application.services
        self._settings = settings
        self._discovery = discovery
        self._known = known

    async def end(self, token: str) -> None:
        """A session that the token names ends here.

        Where it names the person alone, all that proves them here does: sessions, bearer tokens, what MCP clients hold,
        and what is under way. Connections stay, and nobody is kept out: it is a logout.

        Raises:
            LogoutRefused: the token does not hold, or came before.
            UpstreamError: the provider's metadata or keys cannot be had.
            RecordConflict, BackendUnavailable: it did not end; the provider may send it again.
        """
        said, kept = await self._prove(token), self._services.kept
        used = f"oidc-logout:{hashlib.sha256(said.id.encode('utf-8', 'surrogatepass')).hexdigest()}"
        if await kept.get(used) is not None:
            raise LogoutRefused("it came before (jti)")
        if said.session:
            for session in await self._known.sessions_of(said.session, subject=said.subject):
                await end_named_session(kept, session.id, until=session.expires_at)
        else:
            for email in await self._known.emails_of(said.subject):
                await sign_out(self._services, email, actor=CLIENT_ITSELF, way="oidc-logout")
        await kept.put(used, "1", expires_at=said.expires_at + self._leeway)

    async def _prove(self, token: str) -> LogoutToken:
        key_id = read_logout_key_id(token)
        provider = await self._discovery.find()
        return check_logout_token(
            token,
            await self._discovery.keys_of(provider).find(key_id),
            provider.algorithms,
            issuer=provider.issuer,
            client_id=self._settings.oidc_login_client_id or "",
            now=self._services.clock(),
            leeway=self._leeway,
        )

    @property
    def _leeway(self) -> timedelta:
        return timedelta(seconds=self._settings.oidc_login_clock_leeway_seconds)
