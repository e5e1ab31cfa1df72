"""What a search for an authorization server comes back with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from latchpin.errors import DiscoveryFailed, ScopesBeyondCeiling
from latchpin.model import Gateway, OAuthConfig, ServerMetadata
from latchpin.oauth.authorize import AuthorizationRequest, choose_scopes

__all__ = ["FoundServer", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a search: what was asked, and in a few words what came back; ``passed`` if that serves."""

    asked: str
    got: str
    passed: bool = False

    def __str__(self) -> str:
        return f"{self.asked}: {self.got}"


@dataclass(frozen=True, slots=True)
class FoundServer:
    """Where a gateway's users authorize.

    Attributes:
        metadata: the authorization server's.
        resource: the resource indicator to send (RFC 8707): the entry's, else as published; None: send none.
        config: the gateway's entry, with what it leaves open filled from the provider table.
        challenge_scopes: what the MCP server asked for in its challenge.
        resource_scopes: ``scopes_supported`` of its resource metadata.
        resource_source: where its resource metadata was, None if there is none.
        challenged: the MCP server refused a request without a token (401).
        steps: what was asked on the way, for diagnosis.
        ceiling: the only scopes that may be asked for; empty: any.
        scopes: what an authorization asks for, before what the MCP server has asked of a user since (step-up).
    """

    metadata: ServerMetadata
    resource: str | None = None
    config: OAuthConfig = field(default_factory=OAuthConfig)
    challenge_scopes: tuple[str, ...] = ()
    resource_scopes: tuple[str, ...] = ()
    resource_source: str | None = None
    challenged: bool = False
    steps: tuple[Step, ...] = ()
    ceiling: tuple[str, ...] = ()
    scopes: tuple[str, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Choose the scopes: once for the many authorizations that ask for them."""
        object.__setattr__(self, "scopes", self.cut(self._named))

    @property
    def beyond_ceiling(self) -> tuple[str, ...]:
        """What would be asked for if it were not beyond the ceiling."""
        return tuple(scope for scope in self._named if scope not in self.scopes)

    def cut(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """Those that may be asked for, each once, in order."""
        return tuple(dict.fromkeys(scope for scope in scopes if not self.ceiling or scope in self.ceiling))

    def require_scopes(self) -> None:
        """Insist on a scope to ask for where there is a ceiling: without any, a server gives what it likes.

        See RFC 6749 section 3.3.

        Raises:
            ScopesBeyondCeiling: nothing that is named may be asked for.
        """
        if self.ceiling and not self.scopes:
            named = f"it names {' '.join(self._named)[:200]}" if self._named else "it names none"
            raise ScopesBeyondCeiling(f"no scope of this gateway is within OAUTH_SCOPE_CEILING: {named}")

    def require_authorization_endpoint(self) -> str:
        """Insist on a page where people authorize.

        Raises:
            DiscoveryFailed: the server names none.
        """
        metadata = self.metadata
        if metadata.authorization_endpoint is None:
            raise DiscoveryFailed(
                f"{metadata.issuer or metadata.token_endpoint} names no authorization endpoint",
                remedy="Set authorization_url on the gateway, or use grant_type client_credentials.",
            )
        return metadata.authorization_endpoint

    def require_pinned(self, gateway: Gateway, pinned: Gateway) -> None:
        """Refuse what was found if somebody else, at the same first use, pinned another issuer.

        Raises:
            DiscoveryFailed: two issuers were found at the same time.
        """
        issuer = self.metadata.issuer
        if gateway.pinned_issuer is None and issuer is not None and pinned.pinned_issuer not in {None, issuer}:
            raise DiscoveryFailed(f"{gateway.url} named {issuer} and, at the same time, {pinned.pinned_issuer}")

    def build_request(
        self,
        *,
        client_id: str,
        redirect_uri: str,
        state: str,
        code_challenge: str,
        code_challenge_method: str,
        scopes: tuple[str, ...],
        key_thumbprint: str | None = None,
    ) -> AuthorizationRequest:
        """An authorization request as the gateway's entry and the server's profile want it.

        Raises:
            DiscoveryFailed: the server names no authorization endpoint.
        """
        config, provider = self.config, self.metadata.provider
        return AuthorizationRequest(
            authorization_endpoint=self.require_authorization_endpoint(),
            client_id=client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=code_challenge,
            code_challenge_method=code_challenge_method,
            scopes=scopes,
            scope_separator=config.scope_separator or " ",
            scope_parameter=provider.scope_parameter if provider else "scope",
            resource=self.resource,
            audience=config.audience,
            key_thumbprint=key_thumbprint,
            extra=config.extra_authorize_params,
        )

    @property
    def _named(self) -> tuple[str, ...]:
        provider, for_people = self.metadata.provider, self.config.grant_type == "authorization_code"
        return choose_scopes(
            configured=self.config.scopes,
            challenged=self.challenge_scopes,
            resource_supports=self.resource_scopes,
            server_supports=self.metadata.scopes_supported,
            added=provider.add_scopes if provider is not None and for_people else (),
        )
