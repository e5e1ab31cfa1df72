"""Carries a sign-in out: begin at the gateway, the provider's answer, its tokens, the person."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from latchpin.errors import (
    ConfigurationError,
    InvalidRequest,
    LatchpinError,
    NotFound,
    UpstreamError,
)
from latchpin.model import ClientCredentials, IdentityProvider
from latchpin.sdk.gateway import Application
from latchpin.sdk.oauth import AuthorizationRequest, CallbackParameters, build_authorization_url, choose_method
from latchpin.sdk.sign_in import new_session_id

from latchpin_oidc_login.answer import parse_answer, read_code
from latchpin_oidc_login.back_channel import BackChannel
from latchpin_oidc_login.discovery import Discovery
from latchpin_oidc_login.errors import StateInvalid, explain
from latchpin_oidc_login.groups import keep_groups
from latchpin_oidc_login.known import KnownAtProvider
from latchpin_oidc_login.metadata import OpenIdProvider
from latchpin_oidc_login.paths import CALLBACK
from latchpin_oidc_login.person import Person
from latchpin_oidc_login.redemption import CodeRedemption, Redeemed
from latchpin_oidc_login.settings import OidcLoginSettings
from latchpin_oidc_login.state import (
    PURPOSE,
    SignInAttempt,
    build_claims,
    build_nonce,
    build_verifier,
    check_browser,
    read_claims,
)

__all__ = ["OidcSignIn", "SignedIn"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that came to its end.

    Attributes:
        target: a path of ours to go on to.
        lifetime: how long the session may last; None: as long as any.
        session_id: the name that the session is to have, by which the provider's logout finds it.
    """

    person: Person
    target: str
    lifetime: timedelta | None
    flow_id: str
    session_id: str


class OidcSignIn:
    """Sign-in with the one provider that the settings name.

    Args:
        application: the gateway.
        settings: of a provider that is set up.

    Attributes:
        back_channel: takes the provider's word that somebody signed out there.
    """

    def __init__(self, application: Application, settings: OidcLoginSettings) -> None:
        services = application.services
        self._application = application
        self._services = services
        self._settings = settings
        self._issuer = settings.oidc_login_issuer or ""
        self._known = KnownAtProvider(services.context, self._issuer)
        self._redirect_uri = services.settings.base_url + CALLBACK
        self._lifetime = timedelta(seconds=services.settings.state_ttl_seconds)
        self._discovery = Discovery(
            self._issuer,
            upstream=services.upstream,
            clock=services.clock,
            allow_http=services.settings.oauth_allow_private_networks,
            lifetime=timedelta(seconds=services.settings.dcr_metadata_cache_ttl),
        )
        self.back_channel = BackChannel(application, settings, self._discovery, self._known)

    @property
    def label(self) -> str:
        """What people know the provider by."""
        return self._settings.label

    # -- begin --------------------------------------------------------------------------------------------

    async def begin(self, target: str, *, browser: str) -> str:
        """Return the URL to send the browser to. Nothing is stored.

        Args:
            target: where to go afterwards, from ``parse_target``.
            browser: the browser's cookie; what leaves this process are hashes of it.

        Raises:
            ProviderFailed: the provider's metadata cannot be had.
            BackendUnavailable: the key that signs states cannot be read.
        """
        flow_id = secrets.token_hex(16)
        provider = await self._find()
        claims = build_claims(flow_id, self._issuer, browser=browser, target=target, cipher=self._services.cipher)
        pkce = self._services.pkce
        return build_authorization_url(
            AuthorizationRequest(
                authorization_endpoint=provider.authorization_endpoint,
                client_id=self._client(provider).client_id,
                redirect_uri=self._redirect_uri,
                state=await self._application.signed_tokens.sign(PURPOSE, claims, lifetime=self._lifetime),
                code_challenge=pkce.challenge(build_verifier(browser, flow_id)),
                code_challenge_method=pkce.name,
                scopes=self._settings.oidc_login_scopes,
                extra={"nonce": build_nonce(browser, flow_id)},
            )
        )

    # -- complete -----------------------------------------------------------------------------------------

    async def complete(self, query: str, *, browser: str | None) -> SignedIn:
        """Judge the provider's answer and find out who signs in.

        In this order: the state's signature and age, the browser, the first use, the issuer, the provider's error,
        and only then the token request.

        Args:
            query: the answer's query, as it came.
            browser: the browser's cookie.

        Raises:
            OidcFailed: nobody is signed in; ``flow_id`` is set once the state's signature was proven.
            ConfigurationError, BackendUnavailable.
        """
        parameters = parse_answer(query)
        attempt = await self._open_state(parameters.state)
        try:
            cookie = check_browser(attempt, browser)
            await self._use_up(attempt)
            redeemed = await self._redeem(parameters, attempt, cookie)
            await self._keep(redeemed)
            session_id = await self._remember(redeemed)
            seconds = self._settings.oidc_login_session_seconds
            lifetime = timedelta(seconds=seconds) if seconds is not None else None
            return SignedIn(redeemed.person, attempt.target, lifetime, attempt.flow_id, session_id)
        except LatchpinError as exc:
            exc.flow_id = attempt.flow_id
            raise

    async def _open_state(self, state: str) -> SignInAttempt:
        try:
            return read_claims(await self._application.signed_tokens.verify(PURPOSE, state), self._services.cipher)
        except InvalidRequest as exc:
            raise StateInvalid(exc.detail) from exc

    async def _use_up(self, attempt: SignInAttempt) -> None:
        """Of any number of answers with one state, the first goes on."""
        ours = secrets.token_urlsafe(16)
        name = f"{PURPOSE}-used:{attempt.flow_id}"
        if await self._services.kept.put(name, ours, expires_at=attempt.expires_at) != ours:
            raise StateInvalid("this sign-in was finished before")

    async def _redeem(self, parameters: CallbackParameters, attempt: SignInAttempt, browser: str) -> Redeemed:
        if attempt.issuer != self._issuer:
            raise StateInvalid("OIDC_LOGIN_ISSUER has changed since this sign-in was begun")
        provider = await self._find()
        code = read_code(parameters, provider)
        redemption = CodeRedemption(
            provider=provider,
            keys=self._discovery.keys_of(provider),
            client=self._client(provider),
            redirect_uri=self._redirect_uri,
            nonce=build_nonce(browser, attempt.flow_id),
            verifier=build_verifier(browser, attempt.flow_id),
            begun_at=attempt.expires_at - self._lifetime,
        )
        try:
            return await redemption.redeem(code, self._application, self._settings)
        except (UpstreamError, ConfigurationError) as exc:
            raise explain(exc) from exc

    async def _keep(self, redeemed: Redeemed) -> None:
        """Put the ID token where core looks for it, and the groups where they are looked for, if that is wanted."""
        if self._settings.oidc_login_groups_days:
            person, lifetime = redeemed.person, timedelta(days=self._settings.oidc_login_groups_days)
            await keep_groups(self._services.context, person.email, person.groups, lifetime=lifetime)
        if self._settings.oidc_login_keep_id_token:
            client_id = self._settings.oidc_login_client_id or ""
            provider = IdentityProvider(self._issuer, None, client_id)
            await self._application.assertions.put(redeemed.person.email, provider, redeemed.assertion)

    async def _remember(self, redeemed: Redeemed) -> str:
        """Keep who the person is at the provider, and which session it has: it may say later that they signed out."""
        session_id = new_session_id()
        await self._known.put(
            redeemed.person.email,
            subject=redeemed.subject,
            session=redeemed.session,
            session_id=session_id,
            lifetime=timedelta(seconds=self._services.settings.session_lifetime_seconds),
        )
        return session_id

    # -- sign out -----------------------------------------------------------------------------------------

    async def sign_out_url(self) -> str:
        """Where the account can be signed out at the provider (OpenID Connect RP-Initiated Logout 1.0).

        No ``id_token_hint`` goes along, since no ID token is kept for it: the provider asks the person.

        Raises:
            NotFound: the provider does not offer it.
            ProviderFailed: its metadata cannot be had.
        """
        provider = await self._find()
        if provider.end_session_endpoint is None:
            raise NotFound(
                "the provider offers no sign-out that this gateway could lead to",
                remedy="Sign out on the provider's own pages, or close the browser.",
            )
        back = {
            "client_id": self._client(provider).client_id,
            "post_logout_redirect_uri": f"{self._services.settings.base_url}/logout",
        }
        separator = "&" if "?" in provider.end_session_endpoint else "?"
        return f"{provider.end_session_endpoint}{separator}{urlencode(back)}"

    # -- all ----------------------------------------------------------------------------------------------

    async def _find(self) -> OpenIdProvider:
        try:
            return await self._discovery.find()
        except UpstreamError as exc:
            error = explain(exc)
            error.remedy = "Try again. If it repeats, an administrator compares OIDC_LOGIN_ISSUER with the provider's."
            raise error from exc

    def _client(self, provider: OpenIdProvider) -> ClientCredentials:
        secret = self._settings.oidc_login_client_secret
        method = choose_method(
            self._settings.oidc_login_token_endpoint_auth_method,
            provider.server.token_endpoint_auth_methods_supported,
            secret is not None,
        )
        return ClientCredentials(
            client_id=self._settings.oidc_login_client_id or "",
            client_secret=secret.get_secret_value() if secret is not None else None,
            auth_method=method,
        )
