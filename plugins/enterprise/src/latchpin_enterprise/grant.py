"""The JWT bearer grant (RFC 7523 section 2.1): with a workload's own JWT, or with an ID-JAG about a person."""

from __future__ import annotations

from latchpin import Context
from latchpin.contracts import GrantParameters, GrantRequest, GrantSubject
from latchpin.errors import ConfigurationError, IdentityAssertionRequired, TokenRefused
from latchpin.model import ClientCredentials, IdentityAssertion, IdentityProvider, OAuthConfig
from latchpin.sdk.oauth import choose_method
from latchpin.sdk.settings import CoreSettings, load

from latchpin_enterprise.entry import check_entry, is_workloads
from latchpin_enterprise.errors import AssertionRefused
from latchpin_enterprise.id_jag import build_exchange_fields, parse_exchange_reply
from latchpin_enterprise.identity_providers import IdentityProviders, provider_of
from latchpin_enterprise.settings import EnterpriseSettings
from latchpin_enterprise.workload import read_workload

__all__ = ["IDENTITY_PROVIDER", "WORKLOAD", "JwtBearerGrant"]

WORKLOAD = GrantSubject("workload", personal=False, message="Gateway authorizes itself with its workload's JWT")
IDENTITY_PROVIDER = GrantSubject(
    "identity-provider",
    personal=True,
    message="Your identity provider vouches for you at this gateway: there is nothing to authorize",
)

_OF_THE_ASSERTION = frozenset({"invalid_grant", "access_denied", "interaction_required"})
_OWN_FAULTS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Refusals by an identity provider that no other ID token would mend."""
_ADMINISTRATOR = (
    "An administrator checks this gateway's client at the identity provider: its id, its secret, and that it may do "
    "token exchange."
)
_FRESH = (
    "Get a fresh ID token and hand it in; if it repeats, ask the identity provider's administrator whether you may use "
    "this server."
)


class JwtBearerGrant:
    """Comes by assertions; keeps none."""

    def __init__(self, settings: EnterpriseSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._providers = IdentityProviders(load(CoreSettings), context)

    def subject(self, config: OAuthConfig) -> GrantSubject:
        """Say who vouches."""
        return WORKLOAD if is_workloads(config) else IDENTITY_PROVIDER

    def check(self, config: OAuthConfig, earlier: OAuthConfig) -> None:
        """Judge an entry; see ``check_entry``."""
        check_entry(
            config,
            earlier,
            identity_provider=self._settings.identity_provider is not None,
            assertion_folder=self._settings.assertion_folder is not None,
        )

    async def parameters(self, request: GrantRequest) -> GrantParameters:
        """The assertion. It is redeemed once: a server may take each only once (RFC 7523 section 3).

        Raises:
            IdentityAssertionRequired: the caller's identity provider has not vouched, or what it said has expired.
            AssertionRefused: the identity provider does not vouch for the caller at that server.
            AssertionUnusable: the workload's JWT is missing or has expired.
            UpstreamError: the identity provider cannot be asked.
        """
        context = self._context
        if not is_workloads(request.config):
            return GrantParameters({"assertion": await self._exchanged(request)})
        folder, now = self._settings.assertion_folder, context.clock()
        token = await read_workload(request.gateway, folder=folder, cipher=context.cipher, now=now)
        return GrantParameters({"assertion": token})

    def explain(self, refused: TokenRefused) -> TokenRefused:
        """Tell a refusal of the assertion from others."""
        if refused.error not in _OF_THE_ASSERTION:
            return refused
        return AssertionRefused(
            f"the authorization server does not accept the assertion: {refused.detail}",
            error=refused.error,
            remedy="Its operator checks whether it trusts who issued the assertion, for this client and resource.",
        )

    async def _exchanged(self, request: GrantRequest) -> str:
        provider = provider_of(request.gateway, self._settings, self._context.cipher)
        audience = request.server.issuer
        if audience is None:
            raise ConfigurationError(
                "the authorization server's issuer is not known, and the identity provider has to be told it",
                remedy="Set oauth_config.issuer on the gateway.",
            )
        subject = await self._subject(request, provider)
        server = await self._providers.find(provider)
        method = choose_method(None, server.token_endpoint_auth_methods_supported, bool(provider.client_secret))
        client = ClientCredentials(provider.client_id, provider.client_secret, method)
        resource = request.resource or (None if request.config.omit_resource else request.gateway.url)
        fields = build_exchange_fields(subject, audience=audience, resource=resource, scopes=request.scopes)
        try:
            return parse_exchange_reply(await request.post(server, client, fields), hidden=(subject.token,))
        except TokenRefused as exc:
            raise _refused(exc, provider, audience) from exc

    async def _subject(self, request: GrantRequest, provider: IdentityProvider) -> IdentityAssertion:
        if request.caller is not None:
            for source in request.assertions:
                found = await source.find(request.caller, provider)
                if found is not None:
                    return found
        url = f"{self._context.base_url}/oauth/identity-assertion/{request.gateway.id}"
        raise IdentityAssertionRequired(
            f"{provider.issuer} has to vouch for you at this gateway, and no ID token of yours from there holds now",
            remedy=f"Call with a bearer token of {provider.issuer}, or hand in your ID token: "
            f'curl -X PUT {url} -H "Authorization: Bearer ..." --json \'{{"id_token": "..."}}\'',
        )


def _refused(exc: TokenRefused, provider: IdentityProvider, audience: str) -> AssertionRefused:
    detail = f"the identity provider {provider.issuer} gives no grant for {audience}: {exc.detail}"
    remedy = _ADMINISTRATOR if exc.error in _OWN_FAULTS else _FRESH
    return AssertionRefused(detail, error=exc.error, remedy=remedy)
