"""How other servers are asked, and how a client comes by its id and proves itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from latchpin.model import ClientCredentials, Gateway, RegisteredClient, Reply, ServerMetadata

__all__ = [
    "ClientAuthentication",
    "ClientRegistrar",
    "ClientUpdates",
    "Keeps",
    "Registration",
    "RegistrationRequest",
    "TokenRequestParts",
    "Upstream",
]


class Upstream(Protocol):
    """The one guarded way to other servers: checked addresses, a total deadline, capped bodies.

    It follows no redirects and keeps no cookies. It goes through the proxy of OUTBOUND_PROXY where that is set.
    """

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """GET, tried up to OAUTH_MAX_RETRIES times on unreachability and 5xx."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeatable: bool = False,
    ) -> Reply:
        """Send once on a fresh connection; again only if nothing had been sent, or if ``repeatable``.

        Any whole answer is returned, whatever its status.

        Raises:
            AddressRefused: the address is not one we connect to.
            UpstreamTimeout: no whole answer within the deadline.
            UpstreamUnreachable: no answer.
            UpstreamUnreadable: the answer is too large or cannot be decoded.
        """


@dataclass(frozen=True, slots=True)
class RegistrationRequest:
    """What a registrar is asked: a client for this gateway at this server.

    Attributes:
        configured: what the gateway's entry says (the secret is open), None if no client_id is entered.
        auth_method: the entry's ``token_endpoint_auth_method``, None if it names none.
        scopes: what will be asked for; empty means none.
    """

    gateway: Gateway
    server: ServerMetadata
    redirect_uri: str
    scopes: tuple[str, ...]
    configured: ClientCredentials | None
    auth_method: str | None


class Keeps(StrEnum):
    """Where the client that a registrar gives is kept, and so when the registrar is asked for it again.

    ``REGISTERED``: the core keeps it, sealed, one for each gateway and issuer; the registrar is asked once.
    ``COMPUTED``: nowhere; the registrar is asked each time, says the same each time, and needs nobody for it.
    ``FETCHED``: elsewhere, such as in a vault; the registrar is asked each time, for a renewal as well, and asks there.
    What it says may change. It raises where it gets no answer: None would pass the question on to the next way.
    """

    REGISTERED = "registered"
    COMPUTED = "computed"
    FETCHED = "fetched"


class ClientRegistrar(Protocol):
    """One way to a client_id. Registrars are asked in the order of their rank; the first answer counts.

    A registrar only talks to the server. What it registers the core keeps, and makes sure that of many first users
    only one registers. A registrar that can change what it registered has the method of ``ClientUpdates`` besides.
    """

    @property
    def label(self) -> str:
        """What people call this way, such as "Dynamic Client Registration"."""

    @property
    def keeps(self) -> Keeps:
        """Where an answer is kept; the same for as long as the registrar is open."""

    def obstacle(self, request: RegistrationRequest) -> str | None:
        """Say why this way does not apply here, None if it does (the server may refuse yet). Does no I/O."""

    async def register(self, request: RegistrationRequest) -> ClientCredentials | Registration | None:
        """Give a client, or None if this way does not apply here.

        Raises:
            RegistrationFailed: this way applies, and the server refused.
            UpstreamError: the server, or what keeps the client, could not be asked.
        """

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:
        """Ask the server to forget ``client`` (RFC 7592 section 2.3); return a sentence on what it said."""


@runtime_checkable
class ClientUpdates(Protocol):
    """A registrar that can change what it registered. Optional: without it a client keeps the scopes it began with."""

    async def update(
        self,
        client: RegisteredClient,
        request: RegistrationRequest,
        *,
        client_secret: str | None,
        registration_access_token: str,
    ) -> Registration:
        """Ask the server to let ``client`` have the scopes of ``request`` (RFC 7592 section 2.2).

        The client_id stays. What the server's answer leaves out is as it was: it is given as it stands now, secret and
        registration access token included.

        Raises:
            RegistrationFailed: the server refused, or answered what cannot be used; the client is used on as it is.
            UpstreamError: the server could not be asked.
        """


@dataclass(frozen=True, slots=True)
class Registration:
    """A client information response (RFC 7591 section 3.2.1), parsed, secrets open."""

    credentials: ClientCredentials
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    registration_client_uri: str | None = field(repr=False)  # servers may put a key into its query
    registration_access_token: str | None = field(repr=False)
    secret_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenRequestParts:
    """What a client authentication adds to a token request."""

    headers: Mapping[str, str] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)


class ClientAuthentication(Protocol):
    """One ``token_endpoint_auth_method`` (RFC 6749 section 2.3, RFC 7523)."""

    @property
    def name(self) -> str:
        """The method's registered name, such as ``client_secret_basic``."""

    def authenticate(
        self, client: ClientCredentials, *, issuer: str | None, token_endpoint: str, now: datetime
    ) -> TokenRequestParts:
        """Build what proves the client. Does no I/O.

        Raises:
            ConfigurationError: the credentials do not fit the method.
        """
