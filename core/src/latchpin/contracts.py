"""The contracts between the core and its plugins, each with what must hold and in which order.

A contract is a small ``Protocol``: a plugin implements it without importing a base class. Every
implementation passes the suite that ``latchpin.testing`` ships for it, unchanged. Stores see sealed
secrets only. All times are aware UTC; "now" is always the injected clock (``Context.clock``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from latchpin.model import (
    Caller,
    ClientCredentials,
    Evidence,
    Gateway,
    PendingAuthorization,
    RegisteredClient,
    Reply,
    Sealed,
    ServerMetadata,
    StateKey,
    StoredToken,
    StoredTool,
    ToolChanges,
)

__all__ = [
    "Backend",
    "Cipher",
    "ClientAuthentication",
    "ClientRecords",
    "ClientRegistrar",
    "Clock",
    "Context",
    "EventListener",
    "GatewayRecords",
    "Identity",
    "KeptRecords",
    "PkceMethod",
    "RecordStore",
    "Registration",
    "RegistrationRequest",
    "Signer",
    "StateStore",
    "TokenRecords",
    "TokenRequestParts",
    "ToolRecords",
    "Upstream",
]

SettingsT = TypeVar("SettingsT", bound=BaseModel)
ServiceT_co = TypeVar("ServiceT_co", covariant=True)
ResourceT = TypeVar("ResourceT")

Clock = Callable[[], datetime]
"""Gives the current time, aware and in UTC. Tests move it; nothing sleeps."""


class Context(Protocol):
    """What the gateway hands to a backend that is being opened."""

    @property
    def clock(self) -> Clock:
        """The gateway's clock."""

    @property
    def instance_id(self) -> str:
        """Names this process; signed into each state so that diagnosis can tell workers apart."""

    @property
    def base_url(self) -> str:
        """The public URL of the gateway, without a trailing slash."""

    @property
    def state_ttl(self) -> timedelta:
        """STATE_TTL_SECONDS."""

    @property
    def upstream(self) -> Upstream:
        """The guarded way to other servers."""

    @property
    def records(self) -> RecordStore:
        """The selected record store; raises if it is not open yet (stores are opened first)."""

    @property
    def cipher(self) -> Cipher:
        """The selected cipher; raises if it is not open yet (it is opened before the stores)."""

    async def shared(self, name: str, opener: Callable[[], AbstractAsyncContextManager[ResourceT]]) -> ResourceT:
        """Give the resource called ``name``, opened once and closed with the gateway.

        For what several services of one plugin share, such as a connection pool below a state store and a
        record store. ``name`` should begin with the plugin's own name.
        """


@dataclass(frozen=True, slots=True)
class Backend(Generic[SettingsT, ServiceT_co]):
    """One offer of a plugin: a descriptor that a hook returns. Making one does no I/O.

    Attributes:
        name: what a deployer writes, as in ``CACHE_TYPE=redis``. Lower case.
        label: what people read in logs, as in "Stored OAuth state in Redis".
        settings: a pydantic-settings model (``latchpin.Settings``), validated before any I/O. Its fields'
            upper-cased names are the variables; secrets are ``SecretStr``.
        open: settings and context to the running service. Importing heavy libraries belongs in here, so
            that they are loaded only when the offer is selected.
        shared: every process that opens it sees the same data. False for memory.
        rank: where several offers work side by side (registrars, identities), lower is asked first.
    """

    name: str
    label: str
    settings: type[SettingsT]
    open: Callable[[SettingsT, Context], AbstractAsyncContextManager[ServiceT_co]]
    shared: bool = True
    rank: int = 100


# -- what is kept -------------------------------------------------------------------------------------


class StateStore(Protocol):
    """Keeps pending authorizations until exactly one callback takes each."""

    async def put(self, pending: PendingAuthorization) -> None:
        """Keep ``pending``. When this returns, any process can consume it.

        Raises:
            StateConflict: the state exists already (used or not).
            BackendUnavailable: nothing is known to be kept.
        """

    async def consume(self, key: StateKey) -> PendingAuthorization:
        """Take the authorization, atomically: of any number of callers in any processes, one wins.

        The winner gets exactly what was put. The key then leaves a tombstone, without the verifier, until
        ``expires_at``. If the caller is cancelled, the state may be used or not, never half. A state whose
        ``gateway_id`` differs from the key's may be found (the caller compares) or be unknown.

        Raises:
            StateAlreadyUsed: somebody consumed it before; carries when.
            StateExpired: ``expires_at`` is not in the future; nobody consumed it before.
            StateNotFound: the store does not know it.
            BackendUnavailable: the store cannot be asked.
        """

    async def purge(self, *, everything: bool = False) -> int:
        """Remove what is past its ``expires_at``, used or not; with ``everything``, all. Return how many."""

    async def check(self) -> None:
        """Prove that put and consume would work now.

        Raises:
            BackendUnavailable: they would not; the detail is the reason, without secrets.
        """


class GatewayRecords(Protocol):
    """The gateways."""

    async def put(self, gateway: Gateway) -> None:
        """Create. Raises RecordConflict if the id exists."""

    async def get(self, gateway_id: str) -> Gateway | None:
        """Look. None if there is none."""

    async def list(self) -> list[Gateway]:
        """All, oldest first."""

    async def replace(self, gateway: Gateway) -> None:
        """Write over the record whose revision is ``gateway.revision - 1``.

        Raises:
            RecordConflict: the stored revision is another, or there is no such gateway.
        """

    async def delete(self, gateway_id: str) -> bool:
        """Remove it with its tokens, clients and tools. False if there was none."""


class TokenRecords(Protocol):
    """Users' tokens, at most one for each gateway and user."""

    async def get(self, gateway_id: str, app_user_email: str) -> StoredToken | None:
        """Look. None if there is none."""

    async def list(self, *, gateway_id: str | None = None, app_user_email: str | None = None) -> list[StoredToken]:
        """Those that match every given filter, oldest first."""

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        """Compare and swap: write ``token`` if what is stored now is ``replacing``.

        ``replacing`` is matched by ``id`` and ``revision``; None means that there is no token yet. The new
        token's revision is one more than the replaced one's, or 1.

        Raises:
            RecordConflict: something else is stored now; read again.
        """

    async def delete(self, gateway_id: str, app_user_email: str) -> bool:
        """Remove one. False if there was none."""

    async def delete_all(self, gateway_id: str) -> int:
        """Remove every user's token of a gateway. Return how many."""


class ClientRecords(Protocol):
    """Clients that authorization servers registered for us, one for each gateway and issuer."""

    async def get(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        """Look. None if there is none."""

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        """All, or one gateway's, oldest first."""

    async def put(self, client: RegisteredClient) -> None:
        """Create. Raises RecordConflict if that gateway and issuer have one, or the id exists."""

    async def delete(self, id: str) -> bool:  # noqa: A002  the row's id, as everywhere
        """Remove by the row's id. False if there was none."""


class ToolRecords(Protocol):
    """The tools of a gateway as each user sees them."""

    async def list(self, gateway_id: str, app_user_email: str) -> list[StoredTool]:
        """One user's tools of a gateway, by name."""

    async def replace(
        self, gateway_id: str, app_user_email: str, definitions: Mapping[str, Mapping[str, Any]]
    ) -> ToolChanges:
        """Make ``definitions`` (name to definition) the user's tools, atomically.

        ``updated`` counts those whose definition differs; an equal one is left alone.
        """


class KeptRecords(Protocol):
    """Small named values with one primitive: the first writer wins until the value expires.

    It serves random keys made once for all workers, one-time links and leases.
    """

    async def put(self, name: str, value: str, *, expires_at: datetime | None = None) -> str:
        """Keep ``value`` unless an unexpired one stands; return the one that stands now."""

    async def get(self, name: str) -> str | None:
        """Look. None if there is none or it expired."""

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        """Remove and return it, atomically: one caller gets it. With ``value``, only if it is that."""


class RecordStore(Protocol):
    """Keeps what must last. Deleting a gateway takes everything below it along."""

    @property
    def gateways(self) -> GatewayRecords:
        """The gateways."""

    @property
    def tokens(self) -> TokenRecords:
        """The users' tokens."""

    @property
    def clients(self) -> ClientRecords:
        """The registered clients."""

    @property
    def tools(self) -> ToolRecords:
        """The tools by user."""

    @property
    def kept(self) -> KeptRecords:
        """The small kept values."""

    async def purge(self) -> int:
        """Remove expired kept values. Return how many."""

    async def check(self) -> None:
        """Prove that reading and writing would work now; else raise BackendUnavailable with the reason."""


# -- keys ---------------------------------------------------------------------------------------------


class Signer(Protocol):
    """Signs the state, so that a forged one never reaches a store."""

    @property
    def key_id(self) -> str:
        """Names the key that ``sign`` uses today: short, URL-safe, nothing of the key can be learnt from it."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message`` under today's key."""

    def verify(self, message: bytes, signature: bytes, *, key_id: str) -> bool:
        """Say whether the signature holds, in constant time.

        Raises:
            Unsealable: no key of that name, today's or an earlier one, is known.
        """


class Cipher(Protocol):
    """Seals secrets before they reach a store (AEAD with the record's place as associated data)."""

    @property
    def key_id(self) -> str:
        """Names the key that ``seal`` uses today."""

    def seal(self, plaintext: str, *, place: Sequence[str]) -> Sealed:
        """Encrypt ``plaintext``; only ``unseal`` with an equal ``place`` opens it."""

    def unseal(self, sealed: Sealed, *, place: Sequence[str]) -> str:
        """Decrypt.

        Raises:
            Unsealable: no key we have opens it, it is damaged, or it was sealed for another place.
        """


class PkceMethod(Protocol):
    """One code challenge method (RFC 7636 section 4.2)."""

    @property
    def name(self) -> str:
        """The ``code_challenge_method`` on the wire, such as ``S256``."""

    def challenge(self, verifier: str) -> str:
        """Compute the challenge of a verifier."""


# -- the authorization server -------------------------------------------------------------------------


class Upstream(Protocol):
    """The one guarded way to other servers: checked addresses, a total deadline, capped bodies.

    It follows no redirects, keeps no cookies and reads no proxy settings.
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
            ProviderTimeout: no whole answer within the deadline.
            ProviderUnreachable: no answer.
            ProviderUnreadable: the answer is too large or cannot be decoded.
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


class ClientRegistrar(Protocol):
    """One way to a client_id. Registrars are asked in the order of their rank; the first answer counts.

    A registrar only talks to the server. The core keeps the result, sealed, one for each gateway and
    issuer, and makes sure that of many first users only one registers.
    """

    @property
    def keeps(self) -> bool:
        """Whether an answer is to be kept as a registered client (False: it can be computed each time)."""

    async def register(self, request: RegistrationRequest) -> ClientCredentials | Registration | None:
        """Give a client, or None if this way does not apply here.

        Raises:
            RegistrationFailed: this way applies, and the server refused.
            ProviderError: the server could not be asked.
        """

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:
        """Ask the server to forget ``client`` (RFC 7592 section 2.3); return a sentence on what it said."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A client information response (RFC 7591 section 3.2.1), parsed, secrets open."""

    credentials: ClientCredentials
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    registration_client_uri: str | None
    registration_access_token: str | None
    secret_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenRequestParts:
    """What a client authentication adds to a token request."""

    headers: Mapping[str, str]
    fields: Mapping[str, str]


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


# -- people and events --------------------------------------------------------------------------------


class Identity(Protocol):
    """One way to know who is asking."""

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say who it is, or None if this way finds nothing in the request.

        Raises:
            NotSignedIn: something is there and it is not valid; no other way is then asked.
        """


class EventListener(Protocol):
    """Is told what happened, after it happened. It must be quick and must not raise."""

    def on_event(self, name: str, facts: Mapping[str, str | int | float | bool | None]) -> None:
        """``name`` is one of the names in docs/plugins.md; ``facts`` hold no secret."""
