"""What keeps pending authorizations, and what keeps that which must last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from latchpin.contracts.collections import Collection
    from latchpin.model import (
        CollectionSpec,
        Gateway,
        PendingAuthorization,
        RegisteredClient,
        StateKey,
        StoredToken,
    )

__all__ = [
    "ClientRecords",
    "GatewayRecords",
    "KeyValueRecords",
    "PagedTokens",
    "RecordStore",
    "ReplacingClients",
    "StateStore",
    "TokenRecords",
]


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
            BackendUnavailable: the store cannot be asked. What was not consumed by then is not consumed later, on
                behalf of this call: the person is told that the same link still holds.
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
        """Remove it with its tokens and clients. False if there was none."""


class TokenRecords(Protocol):
    """Users' tokens, at most one for each gateway, user and label.

    A label is at most 40 characters without control characters and without blanks around it; ``""`` is one like others.
    """

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        """Look. None if there is none.

        With None for ``label``: the one that ``latchpin.sdk.stores.default_of`` chooses of that user's there. Programs
        wait for this, so it takes no more trips than the other where there is one token.
        """

    async def list_due(self, now: datetime, *, limit: int) -> list[StoredToken]:
        """Those whose ``renew_at`` is not after ``now``, the earliest first, at most ``limit``.

        It is asked every few seconds, so it must not read all tokens where there are many.
        """

    async def list(
        self, *, gateway_id: str | None = None, app_user_email: str | None = None, label: str | None = None
    ) -> list[StoredToken]:
        """Those that match every given filter, oldest first."""

    async def count(self, now: datetime) -> Mapping[str, int]:
        """How many there are of each status, as ``latchpin.sdk.stores.status_of`` judges. Zeros may be missing.

        It is asked for as long as somebody reads metrics, so a store that can count does not read all tokens for it.
        """

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        """Compare and swap: write ``token`` if what is stored now is ``replacing``.

        ``replacing`` is matched by ``id`` and ``revision``; None means that there is no token yet. The new
        token's revision is one more than the replaced one's, or 1.

        Raises:
            RecordConflict: something else is stored now, or the gateway is gone; read again.
        """

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
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
        """Create. Raises RecordConflict if that gateway and issuer have one, the id exists, or the gateway is gone."""

    async def delete(self, id: str) -> bool:  # noqa: A002  the row's id, as everywhere
        """Remove by the row's id. False if there was none."""


@runtime_checkable
class PagedTokens(Protocol):
    """Token records that give all tokens in pages. Optional: without it one gateway's are read at once."""

    async def page(self, *, after: str, limit: int) -> Sequence[StoredToken]:
        """At most ``limit`` of those whose id is greater than ``after``, by their ids, which are compared as ASCII."""


@runtime_checkable
class ReplacingClients(Protocol):
    """Client records that can be changed in place. Optional: without it their secrets cannot be sealed anew."""

    async def replace(self, client: RegisteredClient, *, replacing: RegisteredClient) -> None:
        """Compare and swap: write ``client`` if what is stored is ``replacing``, with the same id.

        Raises:
            RecordConflict: something else is stored now, or nothing.
        """


class KeyValueRecords(Protocol):
    """Small named values with one primitive: the first writer wins until the value expires.

    It serves random keys made once for all workers, one-time links and leases.
    """

    async def put(self, name: str, value: str, *, expires_at: datetime | None = None) -> str:
        """Keep ``value`` unless an unexpired one stands; return the one that stands now."""

    async def replace(self, name: str, value: str, *, replacing: str, expires_at: datetime | None = None) -> bool:
        """Compare and swap: write ``value`` if ``replacing`` stands. False: something else does, or nothing."""

    async def get(self, name: str) -> str | None:
        """Look. None if there is none or it expired."""

    async def list(self, prefix: str) -> Mapping[str, str]:
        """Those whose name begins with ``prefix`` and that have not expired. It may read through everything kept."""

    async def take(self, name: str, *, value: str | None = None) -> str | None:
        """Remove and return it, atomically: one caller gets it. With ``value``, only if it is that."""


class RecordStore(Protocol):
    """Keeps what must last.

    Deleting a gateway takes its tokens and clients along, and nothing comes after it: a token or client of a gateway
    that is gone is refused.

    For a program's call ``gateways.get`` and ``tokens.get`` are asked at the same moment. A store that sends together
    what is asked together (``latchpin.sdk.stores.Batcher``) answers both in one trip. An authorization asks likewise.
    """

    @property
    def gateways(self) -> GatewayRecords:
        """The gateways."""

    @property
    def tokens(self) -> TokenRecords:
        """The users' tokens."""

    @property
    def clients(self) -> ClientRecords:
        """The registered clients."""

    def collection(self, spec: CollectionSpec) -> Collection:
        """The documents of a plugin; whatever ``spec.sealed`` names has been sealed before. Does no I/O."""

    async def purge(self) -> int:
        """Remove expired documents. Return how many."""

    async def check(self) -> None:
        """Prove that reading and writing would work now; else raise BackendUnavailable with the reason."""
