"""How a plugin offers a service, and what it is given when the service is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

    from latchpin.contracts.collections import Collection
    from latchpin.contracts.endings import Endings
    from latchpin.contracts.keys import Cipher, DerivedKey, Keys, KeyWrapper, Signer
    from latchpin.contracts.readers import Teller
    from latchpin.contracts.servers import Upstream
    from latchpin.contracts.stores import KeyValueRecords, RecordStore
    from latchpin.model import CollectionSpec

__all__ = ["Backend", "Clock", "Context"]

SettingsT = TypeVar("SettingsT", bound="BaseModel")
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

    async def trusted(self, url: str) -> Upstream:
        """Give a way to the origin of ``url`` alone (scheme, host and port), which may be http or a private host.

        For an address that the deployer wrote into a setting: a vault, a key service, a webhook. Never for one that
        came from a request, a gateway's entry or another server. Deadline, size cap, and that it follows no redirects
        and keeps no cookies, are as for ``upstream``; another origin is refused with AddressRefused.

        Raises:
            SettingsError: ``url`` is no absolute http or https URL, or holds a user name or password.
        """

    def keys(self, purpose: str) -> Keys:
        """Give the keys for ``purpose``, derived from AUTH_ENCRYPTION_SECRET; with KEY_SOURCE, its keys beside them.

        Those derived from AUTH_ENCRYPTION_SECRETS_OLD are among them, for verifying and unsealing only. Every instance
        with equal secrets has equal keys. Different purposes have unrelated keys, so that none can be used for another;
        ``purpose`` should begin with the plugin's own name.
        """

    def own_keys(self, purpose: str) -> Sequence[DerivedKey]:
        """Give those of ``keys`` that follow from the settings, whatever KEY_SOURCE is; today's comes first."""

    @property
    def key_wrapper(self) -> KeyWrapper | None:
        """The selected key service, opened before everything else; None with KEY_WRAPPER=none."""

    @property
    def key_wrappers(self) -> Mapping[str, KeyWrapper]:
        """The key services by name: that of KEY_WRAPPER, and those of KEY_WRAPPERS_OLD, which only unwrap."""

    @property
    def records(self) -> RecordStore:
        """The selected record store; raises if it is not open yet (stores are opened first)."""

    @property
    def signer(self) -> Signer:
        """The selected signer; raises if it is not open yet (it is opened first)."""

    @property
    def cipher(self) -> Cipher:
        """The selected cipher; raises if it is not open yet (it is opened before the stores)."""

    @property
    def kept(self) -> KeyValueRecords:
        """Small named values in the record store; raises if it is not open yet."""

    def collection(self, spec: CollectionSpec) -> Collection:
        """What the plugin keeps, in the selected record store; ``spec.sealed`` is sealed on the way.

        Raises:
            PluginError: the record store is not open yet, or another declaration has this name.
        """

    @property
    def endings(self) -> Endings:
        """Is told when this worker ended what proves callers, so that it remembers none of them any more."""

    @property
    def activity(self) -> Teller:
        """Is told what the plugin did, each as an ``OwnFact`` of ``latchpin.sdk.activity``."""

    @property
    def diagnostic(self) -> bool:
        """Whether to change nothing at opening, such as a schema: somebody looks for what is wrong."""

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
        open: opens the service, by the settings and the context. Importing heavy libraries belongs in here, so
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
