"""What a search for an authorization server comes back with."""

from __future__ import annotations

from dataclasses import dataclass, field

from latchpin.model import OAuthConfig, ServerMetadata
from latchpin.oauth.authorize import choose_scopes

__all__ = ["FoundServer", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a search: what was asked, and in a few words what came back."""

    asked: str
    got: str

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
    """

    metadata: ServerMetadata
    resource: str | None = None
    config: OAuthConfig = field(default_factory=OAuthConfig)
    challenge_scopes: tuple[str, ...] = ()
    resource_scopes: tuple[str, ...] = ()
    resource_source: str | None = None
    challenged: bool = False
    steps: tuple[Step, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """What an authorization asks for, before what the MCP server has asked of a user since (step-up)."""
        provider, for_people = self.metadata.provider, self.config.grant_type == "authorization_code"
        return choose_scopes(
            configured=self.config.scopes,
            challenged=self.challenge_scopes,
            resource_supports=self.resource_scopes,
            server_supports=self.metadata.scopes_supported,
            added=provider.add_scopes if provider is not None and for_people else (),
        )
