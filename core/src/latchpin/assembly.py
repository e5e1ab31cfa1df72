"""Settings and plugins to opened services, on one exit stack: what is opened first is closed last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic_settings import BaseSettings

from latchpin.audit.pseudonyms import Pseudonyms
from latchpin.audit.trail import AuditTrail
from latchpin.closing import Closing
from latchpin.configuration import CoreSettings
from latchpin.contracts import (
    Backend,
    Cipher,
    Clock,
    Collection,
    KeptRecords,
    Keys,
    RecordStore,
    Signer,
    SignIn,
    StateStore,
    Upstream,
)
from latchpin.errors import LatchpinError, PluginError, SettingsError
from latchpin.events import Events
from latchpin.model import CollectionSpec
from latchpin.observers import ObservedRecords, ObservedStates, Observers
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.outbound.upstream import open_upstream
from latchpin.plugin_rules import contract_of, lacking
from latchpin.plugins import Offer, Plugins
from latchpin.records.audit import AuditRecords
from latchpin.records.flows import FlowRecords
from latchpin.records.kept import KeptValues
from latchpin.records.sealed import open_collection
from latchpin.records.tools import ToolRecords
from latchpin.servers.provider_file import build_provider_table
from latchpin.services import Services
from latchpin.settings import load
from latchpin.workers.derived_keys import KeyRing
from latchpin.workers.instance_names import new_instance_name

__all__ = ["NO_STATE_STORE", "Looking", "Selection", "assemble", "select_stores", "utc_now"]

NO_STATE_STORE = "none"
AUTO = "auto"
_MAY_OPEN_AS_NONE = ("latchpin_observers", "latchpin_event_listeners")
DATABASE = "database"

ServiceT = TypeVar("ServiceT")


def utc_now() -> datetime:
    """The clock that is used unless a test moves its own."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stores the settings select, and why. ``state`` is None with CACHE_TYPE=none."""

    state: Backend[Any, StateStore] | None
    state_reason: str
    record: Backend[Any, RecordStore]
    record_reason: str


def select_stores(plugins: Plugins, settings: CoreSettings) -> Selection:
    """Choose the stores by name.

    Raises:
        SettingsError: a name that nothing offers; it lists what is installed and what to install.
    """
    state: Backend[Any, StateStore] | None = None
    if settings.cache_type != NO_STATE_STORE:
        state = plugins.select("latchpin_state_store", settings.cache_type, variable="CACHE_TYPE")
    name, reason = settings.record_store, f"RECORD_STORE={settings.record_store}"
    if name == AUTO:
        offered = {offer.name for offer in plugins.offers("latchpin_record_store")}
        if DATABASE in offered:
            name, reason = DATABASE, "RECORD_STORE=auto prefers database, which is installed"
        elif state is not None:
            name, reason = state.name, "RECORD_STORE=auto follows CACHE_TYPE, as database is not installed"
        else:
            raise SettingsError(
                "RECORD_STORE=auto finds no store: install latchpin-sql-store, or name an installed one",
                remedy="pip install latchpin-sql-store",
            )
    record = plugins.select("latchpin_record_store", name, variable="RECORD_STORE")
    return Selection(state, f"CACHE_TYPE={settings.cache_type}", record, reason)


def _sign_ins(plugins: Plugins) -> list[SignIn]:
    """The ways to sign in that are set up.

    Raises:
        PluginError: two plugins offer one name.
        SettingsError: a setting of one of them does not hold.
    """
    found = (_describe(offer) for offer in plugins.offers("latchpin_sign_ins"))
    return [way for way in found if way is not None]


def _describe(offer: Offer) -> SignIn | None:
    settings = load(offer.value.settings)
    try:
        way: SignIn | None = offer.value.describe(settings)
    except LatchpinError:
        raise
    except Exception as exc:
        text = f"{offer.plugin} could not describe sign-in '{offer.name}': {type(exc).__name__}: {exc}"
        raise PluginError(text, remedy="Repair, update or uninstall that distribution.") from exc
    return way


@dataclass(slots=True)
class Looking:
    """How a gateway is opened to find out what is wrong with it.

    Attributes:
        read: reads the settings of each part, whatever is wrong with them.
        failed: why parts that work side by side did not open; the others did.
    """

    read: Callable[[type[BaseSettings]], BaseSettings]
    failed: list[Exception] = field(default_factory=list)


@dataclass(slots=True)
class _OpenContext:
    """What backends see while the gateway is being assembled; see ``latchpin.contracts.Context``."""

    settings: CoreSettings
    clock: Clock
    instance_id: str
    observers: Observers
    plugins: Plugins
    stack: AsyncExitStack
    upstream: Upstream
    looking: Looking | None = None
    opened_cipher: Cipher | None = None
    opened_records: RecordStore | None = None
    opened_kept: KeptValues | None = None
    resources: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, CollectionSpec] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def state_ttl(self) -> timedelta:
        return timedelta(seconds=self.settings.state_ttl_seconds)

    async def trusted(self, url: str) -> Upstream:
        opener = partial(open_upstream, self.settings, observers=self.observers, private=True)
        return TrustedUpstream(url, await self.shared("latchpin trusted", opener))

    def keys(self, purpose: str) -> Keys:
        secrets = (self.settings.auth_encryption_secret, *self.settings.auth_encryption_secrets_old)
        return KeyRing(secrets, purpose)

    @property
    def cipher(self) -> Cipher:
        if self.opened_cipher is None:
            raise PluginError("a plugin asked for the cipher before it was open")
        return self.opened_cipher

    @property
    def kept(self) -> KeptRecords:
        if self.opened_kept is None:
            self.opened_kept = KeptValues(self.records)
        return self.opened_kept

    @property
    def records(self) -> RecordStore:
        if self.opened_records is None:
            raise PluginError("a plugin asked for the record store before it was open")
        return self.opened_records

    async def shared(self, name: str, opener: Callable[[], AbstractAsyncContextManager[ServiceT]]) -> ServiceT:
        if name not in self.resources:
            self.resources[name] = await self.stack.enter_async_context(opener())
        resource: ServiceT = self.resources[name]
        return resource

    def collection(self, spec: CollectionSpec) -> Collection:
        if self.declared.setdefault(spec.name, spec) != spec:
            raise PluginError(f"two declarations of the collection '{spec.name}' differ")
        return open_collection(spec, self.records, self.cipher)

    @property
    def as_found(self) -> bool:
        return self.looking is not None

    async def open(self, hook: str, backend: Backend[Any, Any]) -> Any:  # noqa: ANN401  what the hook's contract says
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
        if service is None and hook in _MAY_OPEN_AS_NONE:
            return None
        contract = contract_of(hook)
        lacks = lacking(service, contract) if contract is not None else None
        if lacks is not None:
            raise self._failed(hook, backend, f"it opened {lacks}")
        return service

    def _failed(self, hook: str, backend: Backend[Any, Any], reason: str) -> PluginError:
        remedy = "Repair, update or uninstall that distribution, or select another."
        return PluginError(f"{self._name(hook, backend, 'open')}: {reason}", remedy=remedy)

    def _name(self, hook: str, backend: Backend[Any, Any], act: str) -> str:
        plugin = self.plugins.who_offers(hook, backend.name) or "a plugin"
        return f"{plugin} could not {act} {hook.removeprefix('latchpin_').replace('_', ' ')} '{backend.name}'"

    async def open_each(self, hook: str) -> list[Any]:
        """Open what is offered side by side through ``hook``, lowest rank first; without those that open as None."""
        opened: list[Any] = []
        for backend in self.plugins.ranked(hook):
            try:
                service = await self.open(hook, backend)
                if service is not None:
                    opened.append(service)
            except Exception as exc:
                if self.looking is None:
                    raise
                self.looking.failed.append(exc)
        return opened


@asynccontextmanager
async def assemble(
    plugins: Plugins,
    settings: CoreSettings,
    *,
    clock: Clock = utc_now,
    instance_id: str | None = None,
    looking: Looking | None = None,
) -> AsyncIterator[Services]:
    """Open everything that the settings select and close it, in reverse, at the end.

    Args:
        plugins: what is installed.
        settings: what selects among it.
        clock: the gateway's clock.
        instance_id: names this process; by default at random.
        looking: to look for what is wrong: broken plugins are passed over, and no store changes its schema.

    Raises:
        PluginError: a plugin is broken, or two clash.
        SettingsError: a setting does not hold, or names what is not installed.
        BackendUnavailable, SchemaOutdated: a store cannot be opened.
    """
    if looking is None:
        plugins.require_sound()
    else:
        plugins = plugins.as_found()
    selection = select_stores(plugins, settings)
    providers = build_provider_table(plugins.offers("latchpin_providers"), settings.providers_file)
    observers = Observers()
    async with AsyncExitStack() as stack:
        context = _OpenContext(
            settings=settings,
            clock=clock,
            instance_id=instance_id or new_instance_name(),
            observers=observers,
            plugins=plugins,
            stack=stack,
            upstream=await stack.enter_async_context(open_upstream(settings, observers=observers)),
            looking=looking,
        )
        signer: Signer = await context.open(
            "latchpin_signer", plugins.select("latchpin_signer", settings.signer, variable="SIGNER")
        )
        context.opened_cipher = await context.open(
            "latchpin_cipher", plugins.select("latchpin_cipher", settings.cipher, variable="CIPHER")
        )
        for observer in await context.open_each("latchpin_observers"):
            observers.add(observer)
        records: RecordStore = await context.open("latchpin_record_store", selection.record)
        context.opened_records = ObservedRecords(records, observers) if observers else records
        states: StateStore | None = None
        if selection.state is not None:
            states = await context.open("latchpin_state_store", selection.state)
        if states is not None and observers:
            states = ObservedStates(states, observers)
        yield Services(
            settings=settings,
            clock=clock,
            instance_id=context.instance_id,
            signer=signer,
            cipher=context.cipher,
            pkce=_pkce_method(plugins, settings),
            states=states,
            state_backend=selection.state,
            records=context.records,
            record_backend=selection.record,
            collection=context.collection,
            kept=context.kept,
            tools=ToolRecords(context.records, clock),
            flows=FlowRecords(context.records),
            audit_log=AuditRecords(context.records),
            upstream=context.upstream,
            registrars=await context.open_each("latchpin_client_registrar"),
            identities=await context.open_each("latchpin_identity"),
            observers=observers,
            audit=_audit_trail(settings, context, signer),
            sign_ins=_sign_ins(plugins),
            assertion_sources=await context.open_each("latchpin_identity_assertions"),
            authentications={offer.name: offer.value for offer in plugins.offers("latchpin_client_authentications")},
            events=Events(await context.open_each("latchpin_event_listeners")),
            providers=providers,
        )


def _audit_trail(settings: CoreSettings, context: _OpenContext, signer: Signer) -> AuditTrail:
    if not settings.audit_log:
        return AuditTrail.off()
    pseudonyms = Pseudonyms(context.kept, context.cipher)
    return AuditTrail(AuditRecords(context.records), signer, pseudonyms, context.clock)


def _pkce_method(plugins: Plugins, settings: CoreSettings) -> Any:  # noqa: ANN401  a PkceMethod, by its hook
    offers: dict[str, Offer] = {offer.name: offer for offer in plugins.offers("latchpin_pkce_methods")}
    name = settings.oauth_preferred_code_challenge_method
    if name not in offers:
        text = f"OAUTH_PREFERRED_CODE_CHALLENGE_METHOD holds '{name}'; allowed: {', '.join(sorted(offers))}"
        raise SettingsError(text, public=text)
    return offers[name].value
