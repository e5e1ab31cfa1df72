"""What backends see while the gateway is being assembled, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic import SecretStr

from latchpin.activity.activity import Activity
from latchpin.activity.observers import Observers
from latchpin.assembly.looking import Looking
from latchpin.assembly.selection import KEYS_OF_SETTINGS
from latchpin.contracts import (
    Backend,
    Cipher,
    Clock,
    Collection,
    DerivedKey,
    Endings,
    Keys,
    KeySource,
    KeyValueRecords,
    KeyWrapper,
    RecordStore,
    Signer,
    Upstream,
)
from latchpin.errors import LatchpinError, PluginError
from latchpin.model import CollectionSpec
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.outbound.upstream import open_upstream
from latchpin.plugins.closing import Closing
from latchpin.plugins.hookspecs import BackendHook
from latchpin.plugins.host import Plugins
from latchpin.plugins.rules import lacking
from latchpin.records.kept import KeyValues
from latchpin.records.sealed import open_collection
from latchpin.records.writes import RecordWrites
from latchpin.settings import load
from latchpin.settings.core import CoreSettings
from latchpin.workers.derived_keys import KeyRing, SwitchedKeys

__all__ = ["OpenContext"]

ServiceT = TypeVar("ServiceT")


@dataclass(slots=True)
class OpenContext:
    """What backends see while the gateway is being assembled; see ``latchpin.contracts.Context``."""

    settings: CoreSettings
    clock: Clock
    instance_id: str
    observers: Observers
    activity: Activity
    plugins: Plugins
    stack: AsyncExitStack
    upstream: Upstream
    looking: Looking | None = None
    key_source: KeySource | None = None
    opened_signer: Signer | None = None
    opened_cipher: Cipher | None = None
    opened_records: RecordStore | None = None
    opened_kept: KeyValues | None = None
    endings: Endings = field(default_factory=Endings)
    key_wrappers: dict[str, KeyWrapper] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, CollectionSpec] = field(default_factory=dict)
    writes: RecordWrites = field(default_factory=RecordWrites)

    @property
    def base_url(self) -> str:
        """BASE_URL."""
        return self.settings.base_url

    @property
    def state_ttl(self) -> timedelta:
        """STATE_TTL_SECONDS."""
        return timedelta(seconds=self.settings.state_ttl_seconds)

    async def trusted(self, url: str) -> Upstream:
        """The way to an address that the deployer configured."""
        opener = partial(open_upstream, self.settings, observers=self.observers, private=True)
        return TrustedUpstream(url, await self.shared("latchpin trusted", opener))

    def keys(self, purpose: str) -> Keys:
        """The keys of one purpose: those of the settings, and those of what KEY_SOURCE selects once it is open."""
        own = KeyRing(self._secrets(), purpose)
        if self.settings.key_source == KEYS_OF_SETTINGS:
            return own
        return SwitchedKeys(own, lambda: None if self.key_source is None else self.key_source.keys(purpose, own))

    def own_keys(self, purpose: str) -> Sequence[DerivedKey]:
        """The keys of one purpose that follow from today's secret and the earlier ones."""
        return KeyRing(self._secrets(), purpose).all

    def _secrets(self) -> Sequence[SecretStr]:
        return (self.settings.auth_encryption_secret, *self.settings.auth_encryption_secrets_old)

    @property
    def key_wrapper(self) -> KeyWrapper | None:
        """The key service of KEY_WRAPPER; None with none."""
        return self.key_wrappers.get(self.settings.key_wrapper)

    @property
    def signer(self) -> Signer:
        """The selected signer, once it is open."""
        if self.opened_signer is None:
            raise PluginError("a plugin asked for the signer before it was open")
        return self.opened_signer

    @property
    def cipher(self) -> Cipher:
        """The selected cipher, once it is open."""
        if self.opened_cipher is None:
            raise PluginError("a plugin asked for the cipher before it was open")
        return self.opened_cipher

    @property
    def kept(self) -> KeyValueRecords:
        """Small named values in the record store."""
        if self.opened_kept is None:
            self.opened_kept = KeyValues(self.records)
        return self.opened_kept

    @property
    def records(self) -> RecordStore:
        """The selected record store, once it is open."""
        if self.opened_records is None:
            raise PluginError("a plugin asked for the record store before it was open")
        return self.opened_records

    async def shared(self, name: str, opener: Callable[[], AbstractAsyncContextManager[ServiceT]]) -> ServiceT:
        """Give the resource called ``name``, opened once."""
        if name not in self.resources:
            self.resources[name] = await self.stack.enter_async_context(opener())
        resource: ServiceT = self.resources[name]
        return resource

    def collection(self, spec: CollectionSpec) -> Collection:
        """What a plugin keeps, in the selected record store."""
        if self.declared.setdefault(spec.name, spec) != spec:
            raise PluginError(f"two declarations of the collection '{spec.name}' differ")
        return open_collection(spec, self.records, self.cipher)

    @property
    def diagnostic(self) -> bool:
        """Whether somebody only looks for what is wrong."""
        return self.looking is not None

    async def open(self, hook: BackendHook[ServiceT], backend: Backend[Any, ServiceT]) -> ServiceT:
        """Open one offer of ``hook``.

        Raises:
            PluginError: it fails with no error of ours, or gives what does not keep the contract; it names the plugin.
            LatchpinError: what the plugin raised.
        """
        read = load if self.looking is None else self.looking.read
        try:
            settings = read(backend.settings)
            closing = Closing(backend.open(settings, self), self._name(hook, backend, "close"))
            service = await self.stack.enter_async_context(closing)
        except LatchpinError as exc:
            failed = self._failed(hook, backend, exc.detail)
            if type(exc) is PluginError:  # it says what is wrong, and not whose it is
                raise failed from exc
            exc.add_note(failed.detail.removesuffix(f": {exc.detail}"))
            raise
        except (Exception, SystemExit) as exc:
            raise self._failed(hook, backend, f"{type(exc).__name__}: {exc}") from exc
        lacks = None if service is None and hook.may_be_none else lacking(service, hook.contract)
        if lacks is not None:
            raise self._failed(hook, backend, f"it opened {lacks}")
        return service

    def _failed(self, hook: BackendHook[Any], backend: Backend[Any, Any], reason: str) -> PluginError:
        plugin = self.plugins.who_offers(hook, backend.name)
        remedy = f"Repair, update or uninstall {plugin.distribution if plugin else 'its distribution'}"
        remedy += f", or set {hook.variable} to another." if hook.variable else "."
        return PluginError(f"{self._name(hook, backend, 'open')}: {reason}", remedy=remedy)

    def _name(self, hook: BackendHook[Any], backend: Backend[Any, Any], act: str) -> str:
        plugin = self.plugins.who_offers(hook, backend.name) or "a plugin"
        return f"{plugin} could not {act} {hook.words} '{backend.name}'"

    async def open_each(self, hook: BackendHook[ServiceT]) -> list[ServiceT]:
        """Open what is offered side by side through ``hook``, lowest rank first; without those that open as None."""
        return list((await self.open_named(hook)).values())

    async def open_told(self, hook: BackendHook[ServiceT]) -> dict[str, ServiceT]:
        """Open as ``open_each`` does; each is found under what a log calls it: its name and its plugin."""
        opened = await self.open_named(hook)
        return {f"{name} ({self.plugins.who_offers(hook, name)})": service for name, service in opened.items()}

    async def open_named(self, hook: BackendHook[ServiceT]) -> dict[str, ServiceT]:
        """Open as ``open_each`` does; each is found under its offer's name."""
        opened: dict[str, ServiceT] = {}
        for backend in self.plugins.ranked(hook):
            try:
                service = await self.open(hook, backend)
                if service is not None:
                    opened[backend.name] = service
            except Exception as exc:
                if self.looking is None:
                    raise
                self.looking.failed.append(exc)
        return opened
