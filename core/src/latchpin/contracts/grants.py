"""How tokens are obtained without a browser: what a plugin adds to a token request, and on whose word they come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from latchpin.contracts.people import AssertionSource
    from latchpin.errors import TokenRefused
    from latchpin.model import Caller, ClientCredentials, Gateway, OAuthConfig, Reply, ServerMetadata

__all__ = ["Grant", "GrantParameters", "GrantRequest", "GrantSubject", "PostToken"]

PostToken = Callable[["ServerMetadata", "ClientCredentials", Mapping[str, str | None]], Awaitable["Reply"]]
"""POST fields to a server's token endpoint, with what proves the client, and again if no answer comes."""


@dataclass(frozen=True, slots=True)
class GrantSubject:
    """On whose word tokens come.

    Attributes:
        vouched_for_by: who that is, in a word: ``client``, ``workload``, ``identity-provider``.
        personal: each caller has a token of their own; else one is the gateway's, for all its callers.
        message: one sentence for people, shown where others read whether they have authorized.
    """

    vouched_for_by: str
    personal: bool
    message: str


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What a grant's parameters are wanted for.

    Attributes:
        config: the gateway's entry, with what it leaves open filled from the server's profile.
        server: the authorization server.
        resource: the resource indicator that will be sent (RFC 8707); None: none will.
        scopes: what will be asked for.
        caller: who asks; None where nobody does, as in the background.
        assertions: the ways to an identity provider's word for who the caller is, the first to be asked first.
        post: asks another token endpoint, such as an identity provider's.
    """

    gateway: Gateway
    config: OAuthConfig
    server: ServerMetadata
    resource: str | None
    scopes: tuple[str, ...]
    caller: Caller | None
    assertions: Sequence[AssertionSource] = field(repr=False)
    post: PostToken = field(repr=False)


@dataclass(frozen=True, slots=True)
class GrantParameters:
    """What goes into the token request beside ``grant_type``, the client, the scope and the resource.

    Attributes:
        fields: such as ``assertion``. Never logged.
        repeatable: the server may be asked again with the same fields where no answer comes.
    """

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeatable: bool = False


class Grant(Protocol):
    """A ``grant_type`` that needs no browser (RFC 6749 sections 4.4 and 4.5). The offer's name is its value.

    The core finds the server and the client, sends the request, with a proof where the token is to be bound to a key,
    and keeps what comes. When the token is near its end, the grant is asked anew.
    """

    def subject(self, config: OAuthConfig) -> GrantSubject:
        """Say on whose word a gateway with this entry gets its tokens. Does no I/O."""

    def check(self, config: OAuthConfig, earlier: OAuthConfig) -> None:
        """Judge an entry that is about to be stored. Does no I/O.

        Args:
            config: the entry as it will be.
            earlier: the entry as it was.

        Raises:
            InvalidRequest: names the key that is missing, or too much.
        """

    async def parameters(self, request: GrantRequest) -> GrantParameters:
        """Give what the token request needs, made now.

        Raises:
            LatchpinError: it cannot be had; its text says who has to do what.
        """

    def explain(self, refused: TokenRefused) -> TokenRefused:
        """Say what the authorization server's refusal means; by default ``refused`` itself."""
